"""Checks template.yaml: lints it, and looks at what SAM makes of it. Needs neither AWS nor the network.

The Python that runs this needs aws-sam-cli, aws-sam-translator and cfn-lint.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.translator import Translator

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "template.yaml"
PROGRAMS = Path(sys.executable).parent

RESOURCES = {
    "AlexaRelay": "AWS::Lambda::Function",
    "AlexaRelaySkillPermission": "AWS::Lambda::Permission",
    "AlexaRelayRole": "AWS::IAM::Role",
    "AlexaRelayLog": "AWS::Logs::LogGroup",
    "Faults": "AWS::Logs::MetricFilter",
    "FaultAlarm": "AWS::CloudWatch::Alarm",
    "AlarmTopic": "AWS::SNS::Topic",
}

CONDITIONS = {"Faults": "WithAlarm", "FaultAlarm": "WithAlarm", "AlarmTopic": "WithAlarmEmail"}

PERMISSION = {
    "Principal": "alexa-appkit.amazon.com",
    "Action": "lambda:InvokeFunction",
    "FunctionName": {"Ref": "AlexaRelay"},
    "EventSourceToken": {"Ref": "SkillId"},
}

TRUST = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}

RIGHTS = {
    "Effect": "Allow",
    "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
    "Resource": {"Fn::GetAtt": ["AlexaRelayLog", "Arn"]},
}

FUNCTION = {
    "Runtime": "provided.al2023",
    "Handler": "bootstrap",
    "Architectures": [{"Ref": "Architecture"}],
    "MemorySize": 128,
    "Timeout": 10,
    "LoggingConfig": {"LogFormat": "JSON", "LogGroup": {"Ref": "AlexaRelayLog"}},
    "Role": {"Fn::GetAtt": ["AlexaRelayRole", "Arn"]},
}

DEFAULTS = {"Architecture": "arm64", "LogRetentionDays": 30, "Alarm": "False", "AlarmEmail": "", "Language": ""}

SECRETS = ["LongLivedAccessToken", "ExtraHeaders", "ClientCertificate"]

# The regions that Alexa can use, with the languages that each alone serves. Other languages may use any of them.
REGIONS = {
    "us-east-1": ["en-US", "en-CA"],
    "eu-west-1": ["en-GB", "en-IN", "de-DE", "es-ES", "fr-FR"],
    "us-west-2": ["ja-JP", "en-AU"],
    "ap-northeast-1": [],
}
ANOTHER_REGION = "eu-central-1"


def lint(*command: str | Path) -> Iterator[str]:
    """Runs a program of this Python's folder; what it says is wrong unless it succeeds."""
    done = subprocess.run([PROGRAMS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        yield f"{command[0]} finds fault:\n{(done.stdout + done.stderr).strip()}"


def transformed(template: dict[str, Any]) -> dict[str, Any]:
    """What CloudFormation gets from SAM."""
    template["Resources"]["AlexaRelay"]["Properties"]["CodeUri"] = "s3://bucket/key"
    # No managed policies, for the role is our own: SAM would ask AWS for their list.
    return Translator(managed_policy_map={}, sam_parser=Parser()).translate(template, parameter_values={})


def differences(where: str, found: Any, expected: Any) -> Iterator[str]:
    """Says where two values differ, as far inside as they can be compared."""
    if isinstance(found, dict) and isinstance(expected, dict):
        for name in sorted(found.keys() | expected.keys()):
            if name not in found:
                yield f"{where}: {name} is missing"
            elif name not in expected:
                yield f"{where}: {name} should not be there"
            else:
                yield from differences(f"{where}.{name}", found[name], expected[name])
    elif isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, (one, other) in enumerate(zip(found, expected)):
            yield from differences(f"{where}[{number}]", one, other)
    elif found != expected:
        yield f"{where} is {json.dumps(found)}, not {json.dumps(expected)}"


def some(found: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """The members that have an expected value."""
    return {name: value for name, value in found.items() if name in expected}


def settings() -> list[str]:
    """The environment variables in the table of the README."""
    section = (ROOT / "README.md").read_text().partition("\n## Settings\n")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE)


def parameter(variable: str) -> str:
    """The parameter of an environment variable: BASE_URL has BaseUrl."""
    return "".join(word.capitalize() for word in variable.split("_"))


def check_resources(resources: dict[str, Any]) -> Iterator[str]:
    found = {name: resource["Type"] for name, resource in resources.items()}
    wrong = list(differences("Resources", found, RESOURCES))
    if wrong:
        yield from wrong
        return
    conditions = {name: each["Condition"] for name, each in resources.items() if "Condition" in each}
    yield from differences("Condition of", conditions, CONDITIONS)

    properties = {name: resource["Properties"] for name, resource in resources.items()}
    yield from differences("AlexaRelaySkillPermission", properties["AlexaRelaySkillPermission"], PERMISSION)
    yield from differences("AlexaRelay", some(properties["AlexaRelay"], FUNCTION), FUNCTION)
    retention = {"RetentionInDays": {"Ref": "LogRetentionDays"}}
    yield from differences("AlexaRelayLog", properties["AlexaRelayLog"], retention)

    version = {"Version": "2012-10-17"}
    policy = {"PolicyName": "write-log", "PolicyDocument": {**version, "Statement": [RIGHTS]}}
    role = {"AssumeRolePolicyDocument": {**version, "Statement": [TRUST]}, "Policies": [policy]}
    yield from differences("AlexaRelayRole", properties["AlexaRelayRole"], role)

    # Where the metric of the filter is not the alarm's, the alarm never goes off.
    lines = {"LogGroupName": {"Ref": "AlexaRelayLog"}, "FilterPattern": '{ $.level = "ERROR" }'}
    yield from differences("Faults", some(properties["Faults"], lines), lines)
    counted = properties["Faults"]["MetricTransformations"][0]
    metric = {"Namespace": counted["MetricNamespace"], "MetricName": counted["MetricName"]}
    alarm = {**metric, "TreatMissingData": "notBreaching"}
    yield from differences("FaultAlarm", some(properties["FaultAlarm"], alarm), alarm)

    variables = properties["AlexaRelay"].get("Environment", {}).get("Variables", {})
    expected = {name: {"Ref": parameter(name)} for name in settings()}
    yield from differences("The function's environment, beside the README's settings", variables, expected)


def check_parameters(parameters: dict[str, Any]) -> Iterator[str]:
    for name, default in DEFAULTS.items():
        yield from differences(f"The default of {name}", parameters.get(name, {}).get("Default"), default)
    for name in SECRETS:
        if parameters.get(name, {}).get("NoEcho") is not True:
            yield f"The parameter {name} is a secret and lacks NoEcho: true"
    for name, each in parameters.items():
        if "Description" not in each:
            yield f"The parameter {name} has no Description"
        if ("AllowedPattern" in each or "AllowedValues" in each) and "ConstraintDescription" not in each:
            yield f"The parameter {name} does not say what it may be (ConstraintDescription)"


def value(expression: Any, values: dict[str, Any]) -> Any:
    """The value of an expression of Rules, as CloudFormation finds it."""
    if not isinstance(expression, dict):
        return expression
    [(function, arguments)] = expression.items()
    if function == "Ref":
        return values[arguments]
    given = [value(argument, values) for argument in arguments]
    match function:
        case "Fn::Contains":
            return given[1] in given[0]
        case "Fn::Equals":
            return given[0] == given[1]
        case "Fn::Not":
            return not given[0]
        case _:
            raise ValueError(f"Rules: this check does not know {function}")


def refused(rules: dict[str, Any], values: dict[str, Any]) -> bool:
    """Whether CloudFormation refuses these values of the parameters."""
    return any(
        not value(assertion["Assert"], values)
        for rule in rules.values()
        if value(rule.get("RuleCondition", True), values)
        for assertion in rule["Assertions"]
    )


def check_rules(rules: dict[str, Any], parameters: dict[str, Any]) -> Iterator[str]:
    defaults = {name: each.get("Default") for name, each in parameters.items()}
    only = {language: region for region, languages in REGIONS.items() for language in languages}
    for region in [*REGIONS, ANOTHER_REGION]:
        for language in parameters["Language"]["AllowedValues"]:
            values = {**defaults, "AWS::Region": region, "Language": language}
            right = region in REGIONS and only.get(language, region) == region
            if refused(rules, values) == right:
                yield f"Rules: language {language!r} in {region} is {'refused' if right else 'not refused'}"
    here = {**defaults, "AWS::Region": "us-east-1", "AlarmEmail": "paul@example.org"}
    if not refused(rules, here) or refused(rules, {**here, "Alarm": "True"}):
        yield "Rules: an AlarmEmail must be refused where Alarm is False, and there alone"


def check_publication(about: dict[str, Any]) -> Iterator[str]:
    """The Serverless Application Repository shall show what Cargo.toml says."""
    package = tomllib.loads((ROOT / "Cargo.toml").read_text())["package"]
    expected = {
        "Name": package["name"],
        "Description": package["description"],
        "SemanticVersion": package["version"],
        "SpdxLicenseId": package["license"],
        "LicenseUrl": "LICENSE",
        "ReadmeUrl": "README.md",
    }
    yield from differences("AWS::ServerlessRepo::Application", some(about, expected), expected)


def check(scratch: Path) -> Iterator[str]:
    """Says in words what is wrong."""
    wrong = [
        *lint("sam", "validate", "--lint", "--region", "us-east-1", "--template", TEMPLATE),
        *lint("cfn-lint", "--regions", "us-east-1", "--", TEMPLATE),
    ]
    if wrong:
        yield from wrong
        return
    try:
        result = transformed(yaml_parse(TEMPLATE.read_text()))
    except InvalidDocumentException as invalid:
        yield "\n".join(["SAM cannot transform it:", *(cause.message for cause in invalid.causes)])
        return
    # cfn-lint looks less closely at resources of SAM than at what they become.
    plain = scratch / "plain.json"
    plain.write_text(json.dumps(result, indent=2))
    yield from lint("cfn-lint", "--regions", "us-east-1", "--", plain)
    yield from check_resources(result["Resources"])
    yield from check_parameters(result["Parameters"])
    yield from check_rules(result.get("Rules", {}), result["Parameters"])
    yield from check_publication(result.get("Metadata", {}).get("AWS::ServerlessRepo::Application", {}))


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        # SAM asks the package index once a week for a newer SAM, and remembers when.
        (Path(scratch) / "metadata.json").write_text(json.dumps({"lastVersionCheck": time.time()}))
        os.environ.update({"__SAM_CLI_APP_DIR": scratch, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": "us-east-1"})
        wrong = list(check(Path(scratch)))
    if wrong:
        sys.exit("template.yaml is wrong.\n" + "\n".join(wrong))
    print(f"template.yaml is right: {len(RESOURCES)} resources, {len(settings())} settings")


if __name__ == "__main__":
    main()
