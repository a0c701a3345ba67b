"""What scripts/test does once it has found Python: format, lints, docs, tests, and the checks of skill and template."""

import os
import shutil
import sys

import tools
from processes import Failed, main, running


def check(*command: str) -> None:
    """Runs a command, which must succeed."""
    with running(command, None) as process:
        if process.wait() != 0:
            raise Failed(f"{' '.join(command)} fails, see above.")


def test() -> None:
    check("cargo", "fmt", "--check")
    check("cargo", "clippy", "--locked", "--all-targets", "--all-features", "--", "-D", "warnings")
    os.environ["RUSTDOCFLAGS"] = "-D warnings"
    check("cargo", "doc", "--locked", "--no-deps", "--document-private-items")
    tools.install_all()
    features = ["real-home-assistant"]
    if shutil.which("nginx"):
        features.append("nginx")
    else:
        print("nginx is not installed: the tests behind it are left out.", flush=True)
    check("cargo", "test", "--locked", "--features", ",".join(features))
    check(sys.executable, "-B", "scripts/check_skill.py")
    check(sys.executable, "-B", "scripts/check_template.py")


main(test)
