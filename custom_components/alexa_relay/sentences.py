"""What is said and understood in one language."""

import json
from pathlib import Path
import re
from typing import Any

from hassil.intents import Intents, WildcardSlotList
from hassil.recognize import recognize


class Matcher:
    """Finds which of several answers a sentence is."""

    def __init__(self, language: str, answers: list[dict[str, Any]]) -> None:
        """Take the answers, each an `id` and `sentences`; hassil raises errors of many kinds."""
        blank = "" if language.startswith("ja") else " "  # Alexa sets blanks in Japanese, where hassil ignores them.
        data = [
            {"sentences": [blank.join(sentence.split()) for sentence in answer["sentences"]], "metadata": answer}
            for answer in answers
        ]
        settings = {"ignore_whitespace": not blank}
        self._intents = Intents.from_dict(
            {"language": language, "settings": settings, "intents": {"Answer": {"data": data}}}
        )
        sentences = " ".join(sentence for answer in answers for sentence in answer["sentences"])
        for name in re.findall(r"{([^{}:]+)", sentences):
            self._intents.slot_lists[name] = WildcardSlotList(name)
        self.match(sentences)  # hassil parses a sentence when it first compares it.

    def match(self, text: str) -> tuple[str | None, dict[str, Any]]:
        """Return the id of the answer that a sentence is, and its {wildcards}."""
        found = recognize(text, self._intents)
        if found is None or found.intent_metadata is None:
            return None, {}
        return found.intent_metadata["id"], {name: entity.value for name, entity in found.entities.items()}


class Sentences(dict[str, Any]):
    """The sentences of one language, as in sentences/<language>.json."""

    def __init__(self, path: Path) -> None:
        """Read them from the disk."""
        super().__init__(json.loads(path.read_text(encoding="utf-8")))
        self._meanings = Matcher(path.stem, [{"id": key, "sentences": self[key]} for key in ("yes", "no")])

    def meaning(self, text: str) -> str | None:
        """Return "yes" or "no" where a sentence means that."""
        return self._meanings.match(text)[0]

    def rewrite(self, text: str) -> str:
        """Return a sentence as Assist may understand it."""
        for rule in self["rewrites"]:
            text = re.sub(rule["pattern"], rule["replacement"], text, flags=re.IGNORECASE)
        return text


def load() -> dict[str, Sentences]:
    """Read every language from the disk."""
    return {path.stem: Sentences(path) for path in (Path(__file__).parent / "sentences").glob("*.json")}
