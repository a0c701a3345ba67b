"""Checks template.yaml: `sam validate --lint` finds nothing wrong, and it passes on the settings of the docs.

Needs neither AWS nor the network. scripts/tools.py installs SAM.
"""

import os
import re
import subprocess
import sys

import yaml

from processes import ROOT, TARGET

TEMPLATE = ROOT / "template.yaml"


class TemplateLoader(yaml.SafeLoader):
    """Reads CloudFormation's YAML; of a tag such as !Ref, the text that it stands before is left."""


TemplateLoader.add_multi_constructor("!", lambda _loader, _tag, node: node.value)


def documented() -> set[str]:
    """The environment variables in the docs' table of settings."""
    docs = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    sections = [path.read_text().partition("\n## Settings\n")[2].partition("\n## ")[0] for path in docs]
    return set(re.findall(r"^\| `([A-Z_]+)` \|", "\n".join(sections), re.MULTILINE))


def main() -> None:
    # SAM keeps there when it last asked the package index for a newer SAM.
    environment = {**os.environ, "__SAM_CLI_APP_DIR": str(TARGET / "sam"), "SAM_CLI_TELEMETRY": "0"}
    command = ["sam", "validate", "--lint", "--region", "us-east-1", "--template", TEMPLATE]
    if subprocess.run(command, env=environment).returncode != 0:
        sys.exit("template.yaml is wrong, see above.")

    template = yaml.load(TEMPLATE.read_text(), TemplateLoader)
    # The linter misses a wrong !Ref here. The parameter of BASE_URL is BaseUrl.
    variables = template["Resources"]["AlexaRelay"]["Properties"]["Environment"]["Variables"]
    expected = {name: name.title().replace("_", "") for name in documented()}
    if different := variables.items() ^ expected.items():
        sys.exit(f"template.yaml and the table of settings differ in {sorted(different)}.")


if __name__ == "__main__":
    main()
