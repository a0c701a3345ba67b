"""Checks template.yaml: SAM and cfn-lint find nothing wrong, and it says what the docs and Cargo.toml say.

Needs neither AWS nor the network. scripts/tools.py installs the programs.
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
from typing import Any

import yaml

from processes import ROOT

TEMPLATE = ROOT / "template.yaml"


class TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's YAML; of a tag such as !Ref, the text that it stands before is left."""


TemplateLoader.add_multi_constructor("!", lambda _loader, _tag, node: node.value)


def lint(*command: str) -> list[str]:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return [f"{command[0]}: {done.stdout}{done.stderr}"] if done.returncode else []


def documented() -> set[str]:
    """The environment variables in the docs' table of settings."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        section = path.read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
        if section:
            return set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE))
    return set()


def compare(what: str, found: Any, expected: Any, source: str) -> list[str]:
    return [] if found == expected else [f"{what}: {found} in the template, but {expected} in {source}"]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(__SAM_CLI_APP_DIR=folder, SAM_CLI_TELEMETRY="0", AWS_DEFAULT_REGION="us-east-1")
        wrong = lint("sam", "validate", "--lint", "--template", str(TEMPLATE)) + lint("cfn-lint", str(TEMPLATE))
    template = yaml.load(TEMPLATE.read_text(), TemplateLoader)
    version = template["Metadata"]["AWS::ServerlessRepo::Application"]["SemanticVersion"]
    variables = set(template["Resources"]["AlexaRelay"]["Properties"]["Environment"]["Variables"])
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    wrong += compare("The version", version, package["version"], "Cargo.toml")
    wrong += compare("The variables", sorted(variables), sorted(documented()), 'the table of "## Settings"')
    if wrong:
        sys.exit("template.yaml is wrong.\n" + "\n".join(wrong))
    print(f"template.yaml: {len(template['Resources'])} resources, {len(variables)} variables")


if __name__ == "__main__":
    main()
