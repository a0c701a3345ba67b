"""Checks that nothing is stale, Amazon's types know what skill-package/ holds, home-assistant/ answers it, and
docs/troubleshooting.md has what the relay says.
"""

import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ask_sdk_core.exceptions import SerializationException
from ask_sdk_core.serialize import DefaultSerializer
from ask_smapi_model.v1.skill.account_linking.account_linking_request import AccountLinkingRequest
from ask_smapi_model.v1.skill.interaction_model.interaction_model_data import InteractionModelData
from ask_smapi_model.v1.skill.manifest.skill_manifest_envelope import SkillManifestEnvelope
import generate as skill

# Alexa leaves the skill by this intent, and sends no request.
NOT_SENT = {"AMAZON.NavigateHomeIntent"}


def amazon_problems(path: Path, kind: type) -> Iterator[str]:
    serializer = DefaultSerializer()
    try:
        understood = serializer.serialize(serializer.deserialize(path.read_text(), kind))
    except (ValueError, SerializationException) as problem:
        yield str(problem)
    else:
        files = (json.loads(path.read_text()), understood)
        lines = (json.dumps(file, ensure_ascii=False, indent=2, sort_keys=True).splitlines() for file in files)
        yield from difflib.unified_diff(*lines, "given", "understood by Amazon", lineterm="")


def language_problems(name: str, language: dict[str, Any]) -> Iterator[str]:
    folder = skill.HOME_ASSISTANT / name if "answers" in language else skill.HOME_ASSISTANT
    alexa_skill, good_night = (yaml.safe_load((folder / original.name).read_text()) for original in skill.TRANSLATED)
    home = yaml.safe_load((skill.HOME_ASSISTANT / "example_home.yaml").read_text())

    intents = {intent: action for intent, action in alexa_skill["intent_script"].items() if "amzn1." not in intent}
    asked = {*language["samples"], *skill.BUILT_IN} - NOT_SENT
    filled = {(intent, slot) for intent, samples in language["samples"].items() for slot in skill.slots(samples)}
    used = {(intent, slot) for intent, slot in filled if slot in yaml.dump(intents.get(intent))}
    scenes = {scene["name"].lower().replace(" ", "_") for scene in home["scene"]}
    steps = [step for answer in ("Yes", "No") for step in intents[f"AMAZON.{answer}Intent"]["action"]]
    said = {step["data"]["text"] for step in steps if step.get("service") == "script.alexa_ask"}
    listened_for = {trigger.get("command") for trigger in good_night["automation"][0]["trigger"]} - {None}

    for problem, found in {
        "alexa_skill.yaml does not answer": asked - set(intents),
        "nobody can ask for": set(intents) - asked,
        "alexa_skill.yaml does not use the slot": filled - used,
        "example_home.yaml has no scene": set(language["types"]["Scenes"]) - scenes,
        "example_home.yaml has no script": set(language["types"]["Scripts"]) - set(home["script"]),
        "good_night.yaml does not listen for": said - listened_for,
    }.items():
        yield from (f"{problem} {each}" for each in sorted(found))


def problems() -> Iterator[str]:
    kinds = {
        skill.SKILL: SkillManifestEnvelope,
        skill.ROOT / "skill-package/accountLinking.json": AccountLinkingRequest,
    }
    for path, kind in (kinds | dict.fromkeys(skill.MODELS.glob("*"), InteractionModelData)).items():
        yield from (f"{path.relative_to(skill.ROOT)}: {problem}" for problem in amazon_problems(path, kind))
    for name, language in skill.LANGUAGES.items():
        yield from (f"languages/{name}.yaml: {problem}" for problem in language_problems(name, language))
    guide = (skill.ROOT / "docs/troubleshooting.md").read_text()
    for key, sentence in skill.ENGLISH["relay"].items():
        heading = f"### “{sentence.replace('{setting}', 'BASE_URL')}”"
        if key != "one_moment" and heading not in guide:
            yield f"docs/troubleshooting.md lacks {heading}"


stale = [f"{path.relative_to(skill.ROOT)} differs from what scripts/generate writes" for path in skill.stale()]
if found := stale or list(problems()):
    sys.exit("\n".join(found))
