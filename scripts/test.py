"""Runs for scripts/test: format, lints, docs, the checks of skill and template, and the tests."""

import os
import shutil
import sys

from programs import TARGET, install, main, run

# The tests behind a real Home Assistant with the integration.
WITH_HOME_ASSISTANT = ("alexa_question", "late_answer", "real_home_assistant")


def test() -> None:
    run("cargo", "fmt", "--check")
    run("cargo", "clippy", "--locked", "--all-targets", "--all-features", "--", "-D", "warnings")
    os.environ["RUSTDOCFLAGS"] = "-D warnings"
    run("cargo", "doc", "--locked", "--no-deps", "--document-private-items")
    # SAM stores there when it last looked for an update.
    os.environ |= {"__SAM_CLI_APP_DIR": str(TARGET / "sam"), "SAM_CLI_TELEMETRY": "0"}
    run(install("aws-sam-cli") / "sam", "validate", "--lint", "--region", "us-east-1")
    run(install("generate") / "python", "scripts/generate.py", "--check")
    if sys.version_info >= (3, 14):  # The sentences of other releases differ, and so does their matcher.
        run(install("homeassistant") / "python", "scripts/check_sentences.py")
    programs = install("integration")
    run(programs / "ruff", "format", "--check")
    run(programs / "ruff", "check")
    run(programs / "mypy")
    test_integration()
    with_nginx = shutil.which("nginx") is not None
    if not with_nginx:
        print("nginx is not installed: the tests behind it are left out.")
    run("cargo", "test", "--locked", "--features", "nginx" if with_nginx else "real-home-assistant")


def test_home_assistant() -> None:
    test_integration()
    run("cargo", "test", "--locked", "--features", "real-home-assistant", "--", *WITH_HOME_ASSISTANT)


def test_integration() -> None:
    run(install("integration") / "python", "-m", "pytest", "-q", "-n", "2", "tests/alexa_relay")


main(test_home_assistant if "--home-assistant" in sys.argv else test)
