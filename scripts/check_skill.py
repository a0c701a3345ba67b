"""Checks skill-package/: that Amazon's own types know all that it holds, and that home-assistant/ answers it.

The Python that runs this needs ask-sdk-core, ask-smapi-model and PyYAML.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from ask_sdk_core.exceptions import SerializationException
from ask_sdk_core.serialize import DefaultSerializer
from ask_smapi_model.v1.skill.account_linking.account_linking_request import AccountLinkingRequest
from ask_smapi_model.v1.skill.interaction_model.interaction_model_data import InteractionModelData
from ask_smapi_model.v1.skill.manifest.skill_manifest_envelope import SkillManifestEnvelope

ROOT = Path(__file__).resolve().parent.parent
SKILL_PACKAGE = ROOT / "skill-package"
SKILL = SKILL_PACKAGE / "skill.json"
ACCOUNT_LINKING = SKILL_PACKAGE / "accountLinking.json"
PACKAGES = ROOT / "home-assistant"
ALEXA_SKILL = PACKAGES / "alexa_skill.yaml"

# Amazon requires this intent in every model, but leaves the skill by it and sends no request.
NOT_SENT = "AMAZON.NavigateHomeIntent"
REQUIRED = {f"AMAZON.{name}Intent" for name in ("Yes", "No", "Help", "Stop", "Cancel", "Fallback", "NavigateHome")}

# Amazon's rules for invocation names. The words are those of all our languages: a name seldom holds another's.
WAKE_WORDS = "alexa echo amazon computer ziggy skill skills app"
LAUNCH_WORDS = (
    "ask begin enable launch load open play resume run start talk tell use "
    "frag frage öffne sag sage spiele starte abre dile inicia lanza pide pregunta "
    "demande démarre dis lance ouvre apri avvia chiedi lancia"
)
CONNECTING_WORDS = "and by from if to whether"
NOT_IN_NAME = set(f"{WAKE_WORDS} {LAUNCH_WORDS} {CONNECTING_WORDS}".split())
NOT_IN_TWO_WORDS = set(
    "a an the about at for of off to up with das dem den der die ein eine für im in von zu "
    "el la las los un una con de en para les le une à dans du gli i il lo uno da di per".split()
)
NAME_WORD = re.compile(r"([^\W\d_]\.)+|[^\W\d_]+(['’][^\W\d_]*)?")

SLOT = re.compile(r"\{(\w+)\}")
SPOKEN = re.compile(r"[^\W\d_]([^\W\d]|[ .'’-])*")


class PackageLoader(yaml.SafeLoader):
    """Reads Home Assistant's YAML; what a tag such as !include stands for is left out."""


PackageLoader.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def differences(given: Any, understood: Any, where: str) -> Iterator[str]:
    """Where what a file holds differs from what Amazon's types understood of it."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for key, value in given.items():
            if key in understood:
                yield from differences(value, understood[key], f"{where}.{key}")
            else:
                yield f"{where} cannot hold {key}"
    elif isinstance(given, list) and isinstance(understood, list):
        for index, (one, other) in enumerate(zip(given, understood)):
            yield from differences(one, other, f"{where}[{index}]")
    elif type(given) is not type(understood) or given != understood:
        yield f"{where} cannot be {json.dumps(given)}"


def of_type(text: str, kind: type) -> Iterator[str]:
    """What of a file one of Amazon's types does not know."""
    serializer = DefaultSerializer()
    try:
        given = json.loads(text)
        understood = serializer.serialize(serializer.deserialize(text, kind))
    except (ValueError, SerializationException) as problem:
        yield str(problem)
    else:
        yield from differences(given, understood, kind.__name__)


def repeated(things: Iterable[str]) -> list[str]:
    return [thing for thing, times in Counter(things).items() if times > 1]


def slug(name: str) -> str:
    return name.lower().replace(" ", "_")


def invocation_name(name: str) -> Iterator[str]:
    words = name.split()
    if len(words) < 2:
        yield f'the invocation name "{name}" has fewer than two words'
    if len(words) == 2 and NOT_IN_TWO_WORDS & set(words):
        yield f'the invocation name "{name}" is an article or a preposition and one word more'
    if name != " ".join(words).lower() or not all(NAME_WORD.fullmatch(word) for word in words):
        yield f'the invocation name "{name}" is not made of lower-case words of letters'
    for word in sorted(NOT_IN_NAME & set(words)):
        yield f'the invocation name "{name}" has the word "{word}", which Alexa keeps for herself'


def samples(intent: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the sample utterances of an intent."""
    slots = {slot["name"] for slot in intent.get("slots", [])}
    used = set()
    for sample in intent["samples"]:
        used |= set(SLOT.findall(sample))
        for name in sorted(set(SLOT.findall(sample)) - slots):
            yield f'{intent["name"]} has no slot {name}, which "{sample}" names'
        if not SPOKEN.fullmatch(SLOT.sub("slot", sample)) or "  " in sample or sample != sample.strip():
            yield f'"{sample}" of {intent["name"]} has characters that a sample cannot have'
    for name in sorted(slots - used):
        yield f"no sample of {intent['name']} names its slot {name}"
    if not intent["samples"] and not intent["name"].startswith("AMAZON."):
        yield f"{intent['name']} has no samples"


def values(slot_type: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the values of a slot type."""
    name = slot_type["name"]
    for twice in repeated(value["id"] for value in slot_type["values"]):
        yield f"two values of {name} have the id {twice}"
    # Home Assistant takes the value in place of the synonym only where one value alone has it.
    spoken = [word for value in slot_type["values"] for word in (value["name"]["value"], *value["name"]["synonyms"])]
    for twice in repeated(word.lower() for word in spoken):
        yield f'{name} has "{twice}" twice'
    for word in spoken:
        if not SPOKEN.fullmatch(word):
            yield f'"{word}" of {name} has characters that a value cannot have'


class Home:
    """The intents, scenes and scripts of the packages in home-assistant/."""

    def __init__(self) -> None:
        packages = [self._package(path) for path in PACKAGES.glob("*.yaml")]
        self.intents = set(self._package(ALEXA_SKILL)["intent_script"])
        self.scenes = {slug(scene["name"]) for package in packages for scene in package.get("scene", [])}
        self.scripts = {script for package in packages for script in package.get("script", {})}

    @staticmethod
    def _package(path: Path) -> dict[str, Any]:
        return yaml.load(path.read_text(), PackageLoader)

    def lacks(self, model: dict[str, Any]) -> Iterator[str]:
        """What a model asks for, and the packages do not have."""
        for intent in model["intents"]:
            if intent["name"] not in self.intents | {NOT_SENT}:
                yield f"{ALEXA_SKILL.name} has no intent_script for {intent['name']}"
        for slot_type in model["types"]:
            for value in slot_type["values"]:
                if slot_type["name"] == "Scenes" and value["id"] not in self.scenes:
                    yield f"home-assistant/ has no scene for the id {value['id']}"
                # A script goes by the value, in whatever language: the intent_script does not look at the id.
                if slot_type["name"] == "Scripts" and slug(value["name"]["value"]) not in self.scripts:
                    yield f'home-assistant/ has no script for the value "{value["name"]["value"]}"'


def model_problems(data: dict[str, Any], home: Home) -> Iterator[str]:
    model = data["interactionModel"]["languageModel"]
    yield from invocation_name(model["invocationName"])
    types = [slot_type["name"] for slot_type in model["types"]]
    names = [intent["name"] for intent in model["intents"]]
    for twice in repeated(names + types):
        yield f"{twice} is there twice"
    for name in sorted(REQUIRED - set(names)):
        yield f"{name} is not there"
    for name in sorted(home.intents - set(names)):
        if not name.startswith("amzn1."):  # A launch or an end of a session: these go by the skill's id.
            yield f"{name} has an intent_script in {ALEXA_SKILL.name}, but is not there"
    for intent in model["intents"]:
        yield from samples(intent)
        for slot in intent.get("slots", []):
            if slot["type"] not in types and not slot["type"].startswith("AMAZON."):
                yield f"there is no slot type {slot['type']}, which {intent['name']} names"
    for sample in repeated(sample.lower() for intent in model["intents"] for sample in intent["samples"]):
        yield f'the utterance "{sample}" is there twice'
    for slot_type in model["types"]:
        yield from values(slot_type)
    yield from home.lacks(model)


def locale_problems(envelope: dict[str, Any], models: dict[str, dict[str, Any]]) -> Iterator[str]:
    manifest = envelope["manifest"]
    publishing = manifest["publishingInformation"]["locales"]
    for what, locales in (
        ("publishing information", publishing),
        ("privacy answers", manifest["privacyAndCompliance"]["locales"]),
    ):
        for locale in sorted(set(locales) ^ set(models)):
            has, lacks = ("a model", what) if locale in models else (what, "a model")
            yield f"{locale} has {has}, but lacks {lacks}"
    for locale in sorted(publishing.keys() & models.keys()):
        invocation = models[locale]["interactionModel"]["languageModel"]["invocationName"]
        for phrase in publishing[locale]["examplePhrases"]:
            if invocation not in phrase.lower():
                yield f'the example phrase "{phrase}" of {locale} does not say the invocation name'


def report(path: Path, problems: Iterable[str]) -> Iterator[str]:
    """Puts the file's name before what is wrong with it."""
    name = path.relative_to(ROOT)
    try:
        for problem in problems:
            yield f"{name}: {problem}."
    except KeyError as lacking:
        yield f"{name}: something in it lacks {lacking}."


def stop_at(problems: Iterable[str]) -> None:
    if found := list(problems):
        sys.exit("\n".join(found))


def check() -> str:
    """Says what there is; stops where something is wrong with it."""
    model_files = {path.stem: path for path in sorted((SKILL_PACKAGE / "interactionModels/custom").glob("*.json"))}
    kinds = {SKILL: SkillManifestEnvelope, ACCOUNT_LINKING: AccountLinkingRequest}
    kinds |= {path: InteractionModelData for path in model_files.values()}
    # What is not of Amazon's types may lack what is looked at after this.
    stop_at(problem for path, kind in kinds.items() for problem in report(path, of_type(path.read_text(), kind)))

    home = Home()
    models = {locale: json.loads(path.read_text()) for locale, path in model_files.items()}
    found = {locale: model_problems(model, home) for locale, model in models.items()}
    stop_at(problem for locale in models for problem in report(model_files[locale], found[locale]))
    stop_at(report(SKILL, locale_problems(json.loads(SKILL.read_text()), models)))

    intents = [intent for model in models.values() for intent in model["interactionModel"]["languageModel"]["intents"]]
    utterances = sum(len(intent["samples"]) for intent in intents)
    return f"skill-package: {len(models)} models, {utterances} utterances"


def main() -> None:
    try:
        print(check())
    except (OSError, KeyError, yaml.YAMLError) as problem:
        sys.exit(f"The skill package cannot be checked: {type(problem).__name__}: {problem}")


if __name__ == "__main__":
    main()
