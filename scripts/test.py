"""Runs for scripts/test: format, lints, docs, the checks of skill and template, and the tests."""

import os
import shutil

from programs import TARGET, install, main, run


def test() -> None:
    run("cargo", "fmt", "--check")
    run("cargo", "clippy", "--locked", "--all-targets", "--all-features", "--", "-D", "warnings")
    os.environ["RUSTDOCFLAGS"] = "-D warnings"
    run("cargo", "doc", "--locked", "--no-deps", "--document-private-items")
    check_template()
    run(install("homeassistant") / "python", "scripts/check_skill.py")
    with_nginx = shutil.which("nginx") is not None
    if not with_nginx:
        print("nginx is not installed: the tests behind it are left out.")
    run("cargo", "test", "--locked", "--features", "nginx" if with_nginx else "real-home-assistant")


def check_template() -> None:
    # SAM stores there when it last looked for an update.
    os.environ |= {"__SAM_CLI_APP_DIR": str(TARGET / "sam"), "SAM_CLI_TELEMETRY": "0"}
    run(install("aws-sam-cli") / "sam", "validate", "--lint", "--region", "us-east-1")


main(test)
