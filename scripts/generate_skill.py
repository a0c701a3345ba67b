"""Generates from languages/*.yaml the models and texts of skill-package/, and home-assistant/ in other languages.

home-assistant/*.yaml is the English original: in another language only the sentences under `answers` differ. What
skill-package/skill.json holds beside its texts stays as it is. PyYAML is in target/homeassistant-*/bin/python.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
SKILL = ROOT / "skill-package/skill.json"
MODELS = ROOT / "skill-package/interactionModels/custom"
HOME_ASSISTANT = ROOT / "home-assistant"
TRANSLATED = [HOME_ASSISTANT / "alexa_skill.yaml", HOME_ASSISTANT / "good_night.yaml"]
LANGUAGES = {path.stem: yaml.safe_load(path.read_text()) for path in sorted(ROOT.glob("languages/*.yaml"))}

SLOT_TYPES = {
    "Query": "AMAZON.SearchQuery",  # Free speech; Amazon wants words beside it in each sample.
    "Sentence": "Sentences",  # Free speech without such words: a custom type also accepts what is not among its values.
    "User": "People",
    "Scene": "Scenes",
    "Script": "Scripts",
}
BUILT_IN = [f"AMAZON.{name}Intent" for name in ("Yes", "No", "Help", "Stop", "Cancel", "Fallback", "NavigateHome")]


def slots(samples: list[str]) -> list[str]:
    return list(dict.fromkeys(re.findall(r"{(\w+)}", " ".join(samples))))


def intent(name: str, samples: list[str]) -> dict[str, Any]:
    with_types = [{"name": slot, "type": SLOT_TYPES[slot]} for slot in slots(samples)]
    return {"name": name, "slots": with_types, "samples": samples}


def slot_type(name: str, values: dict[str, list[str]] | list[list[str]]) -> dict[str, Any]:
    with_ids = values.items() if isinstance(values, dict) else [(None, words) for words in values]
    entries = [
        ({"id": id} if id else {}) | {"name": {"value": value, "synonyms": synonyms}}
        for id, [value, *synonyms] in with_ids
    ]
    return {"name": name, "values": entries}


def model(language: dict[str, Any]) -> dict[str, Any]:
    intents = [intent(name, samples) for name, samples in language["samples"].items()]
    types = [slot_type(name, values) for name, values in language["types"].items()]
    built_in = [{"name": name, "samples": []} for name in BUILT_IN]
    language_model = {"invocationName": language["invocation"], "intents": intents + built_in, "types": types}
    return {"interactionModel": {"languageModel": language_model}}


def skill() -> dict[str, Any]:
    """The manifest, with the texts of every locale."""
    envelope = json.loads(SKILL.read_text())
    publishing = envelope["manifest"]["publishingInformation"]["locales"]
    privacy = envelope["manifest"]["privacyAndCompliance"]["locales"]
    privacy_answers = next(iter(privacy.values()))  # They are the same for every locale.
    publishing.clear()
    privacy.clear()
    for language in LANGUAGES.values():
        texts = {key: language[key] for key in ("summary", "description", "keywords")}
        for locale in language["locales"]:
            publishing[locale] = {"name": "Home Assistant", **texts, "examplePhrases": language["phrases"]}
            privacy[locale] = privacy_answers
    return envelope


def translation(original: str, answers: dict[str, str]) -> str:
    # The longest first: a sentence can be part of another.
    for english in sorted(answers, key=len, reverse=True):
        original = original.replace(english, answers[english])
    return original


def generated() -> dict[Path, str]:
    files = {SKILL: as_json(skill())}
    for name, language in LANGUAGES.items():
        files |= {MODELS / f"{locale}.json": as_json(model(language)) for locale in language["locales"]}
        if answers := language.get("answers"):
            for path in TRANSLATED:
                files[HOME_ASSISTANT / name / path.name] = translation(path.read_text(), answers)
    return files


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    for path, text in generated().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
