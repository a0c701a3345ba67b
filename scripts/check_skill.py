"""Checks that Amazon's own types know what skill-package/ holds, that home-assistant/ answers it, and nothing is stale.

The Python that runs this needs ask-sdk-core, ask-smapi-model and PyYAML.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import generate_skill
import yaml
from ask_sdk_core.exceptions import SerializationException
from ask_sdk_core.serialize import DefaultSerializer
from ask_smapi_model.v1.skill.account_linking.account_linking_request import AccountLinkingRequest
from ask_smapi_model.v1.skill.interaction_model.interaction_model_data import InteractionModelData
from ask_smapi_model.v1.skill.manifest.skill_manifest_envelope import SkillManifestEnvelope
from generate_skill import HOME_ASSISTANT, MODELS, ROOT, SKILL

# Alexa leaves the skill by this intent, and sends no request.
NOT_SENT = {"AMAZON.NavigateHomeIntent"}


def differences(given: Any, understood: Any, where: str) -> Iterator[str]:
    """What a file holds that Amazon's types do not know."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for key, value in given.items():
            yield from differences(value, understood.get(key), f"{where}.{key}")
    elif isinstance(given, list) and isinstance(understood, list):
        for index, (one, other) in enumerate(zip(given, understood)):
            yield from differences(one, other, f"{where}[{index}]")
    elif given != understood:
        yield f"{where} cannot be {json.dumps(given, ensure_ascii=False)}"


def amazon_problems(text: str, kind: type) -> Iterator[str]:
    serializer = DefaultSerializer()
    try:
        understood = serializer.serialize(serializer.deserialize(text, kind))
    except (ValueError, SerializationException) as problem:
        yield str(problem)
    else:
        yield from differences(json.loads(text), understood, kind.__name__)


def package(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text())


def model_problems(text: str, alexa_skill: dict[str, Any], home: dict[str, Any]) -> Iterator[str]:
    """What a model and home-assistant/ do not have in common."""
    model = json.loads(text)["interactionModel"]["languageModel"]
    answered = {name: yaml.dump(answer) for name, answer in alexa_skill["intent_script"].items()}
    asked = {intent["name"]: intent.get("slots", []) for intent in model["intents"] if intent["name"] not in NOT_SENT}
    for name in sorted(asked.keys() ^ {name for name in answered if not name.startswith("amzn1.")}):
        yield f"{name} is only in one of the model and alexa_skill.yaml"
    for name in asked.keys() & answered.keys():
        for slot in asked[name]:
            if slot["name"] not in answered[name]:
                yield f"alexa_skill.yaml does not use the slot {slot['name']} of {name}"
    ids = {slot_type["name"]: {value.get("id") for value in slot_type["values"]} for slot_type in model["types"]}
    scenes = {scene["name"].lower().replace(" ", "_") for scene in home["scene"]}
    for missing in sorted((ids["Scenes"] - scenes) | (ids["Scripts"] - set(home["script"]))):
        yield f"example_home.yaml has nothing of the id {missing}"


def language_problems(name: str, language: dict[str, Any]) -> Iterator[str]:
    originals = "".join(path.read_text() for path in generate_skill.TRANSLATED)
    for english in language.get("answers", {}):
        if english not in originals:
            yield f'home-assistant/ does not say "{english}"'
    folder = HOME_ASSISTANT / name if "answers" in language else HOME_ASSISTANT
    intents = package(folder / "alexa_skill.yaml")["intent_script"]
    said = {intents[f"AMAZON.{answer}Intent"]["action"][0]["data"]["text"] for answer in ("Yes", "No")}
    said |= {value for value, *_ in language["types"]["Sentences"]}
    for trigger in package(folder / "good_night.yaml")["automation"][0]["trigger"]:
        if trigger.get("command") not in said | {None}:
            yield f'nothing says "{trigger["command"]}", which good_night.yaml listens for'


def problems() -> Iterator[str]:
    generated = generate_skill.generated()
    for path in generated.keys() | set(MODELS.glob("*")) | set(HOME_ASSISTANT.glob("*/*")):
        if not path.exists() or path.read_text() != generated.get(path):
            yield f"{path.relative_to(ROOT)} is not what scripts/generate_skill.py makes of languages/"
    alexa_skill, home = package(HOME_ASSISTANT / "alexa_skill.yaml"), package(HOME_ASSISTANT / "example_home.yaml")
    kinds = {SKILL: SkillManifestEnvelope, ROOT / "skill-package/accountLinking.json": AccountLinkingRequest}
    kinds |= {path: InteractionModelData for path in generated if path.parent == MODELS}
    for path, kind in kinds.items():
        text = generated.get(path) or path.read_text()
        found = list(amazon_problems(text, kind))
        if kind is InteractionModelData:
            found += model_problems(text, alexa_skill, home)
        yield from (f"{path.relative_to(ROOT)}: {problem}" for problem in found)
    languages = generate_skill.languages()
    keys = {frozenset(language["answers"]) for language in languages.values() if "answers" in language}
    if len(keys) > 1:
        yield f"languages/ do not all answer the same: {sorted(frozenset.union(*keys) - frozenset.intersection(*keys))}"
    for name, language in languages.items():
        yield from (f"languages/{name}.yaml: {problem}" for problem in language_problems(name, language))


if __name__ == "__main__":
    if found := sorted(problems()):
        sys.exit("\n".join(found))
    print("skill-package/ and home-assistant/ are right.")
