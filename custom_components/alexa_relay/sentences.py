"""What is said and understood in one language."""

import json
from pathlib import Path
import re
from typing import Any

from hassil.intents import Intents, WildcardSlotList
from hassil.recognize import recognize


class Sentences(dict[str, Any]):
    """The sentences of one language, as in sentences/<language>.json."""

    def meaning(self, text: str) -> str | None:
        """Return "yes" or "no" where a sentence means that."""
        return match(text, [{"id": key, "sentences": self[key]} for key in ("yes", "no")], self["language"])[0]

    def rewrite(self, text: str) -> str:
        """Return a sentence as Assist may understand it."""
        for rule in self["rewrites"]:
            text = re.sub(rule["pattern"], rule["replacement"], text, flags=re.IGNORECASE)
        return text


def load() -> dict[str, Sentences]:
    """Read every language from the disk."""
    files = {path.stem: path.read_text("utf-8") for path in (Path(__file__).parent / "sentences").glob("*.json")}
    return {language: Sentences(json.loads(text), language=language) for language, text in files.items()}


def match(text: str, answers: list[dict[str, Any]], language: str) -> tuple[str | None, dict[str, Any]]:
    """Return the id of the answer that a sentence is, and its {wildcards}; hassil raises errors of many kinds."""
    blank = "" if language == "ja" else " "  # Alexa sets blanks in Japanese, where hassil ignores them.
    sentences = [(answer, blank.join(sentence.split())) for answer in answers for sentence in answer["sentences"]]
    data = [{"sentences": [sentence], "metadata": answer} for answer, sentence in sentences]
    settings = {"ignore_whitespace": not blank}
    intents = Intents.from_dict({"language": language, "settings": settings, "intents": {"": {"data": data}}})
    for name in re.findall(r"{([^{}:]+)", " ".join(sentence for _, sentence in sentences)):
        intents.slot_lists[name] = WildcardSlotList(name)
    found = recognize(text, intents)
    if found is None or found.intent_metadata is None:
        return None, {}
    return found.intent_metadata["id"], {name: entity.value for name, entity in found.entities.items()}
