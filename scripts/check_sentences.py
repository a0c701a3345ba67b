"""Checks languages/*.yaml with Home Assistant's own matcher, in a home with the names under `home`: Assist accepts each
example, and no sample takes a command from Assist, unless Assist gets the same command back.
"""

from collections.abc import Iterator
import random
import re
import sys
from typing import Any

import generate as skill
from hassil import Intents, recognize_best
from hassil.expression import Alternative, Group, RuleReference, TextChunk
from hassil.intents import RangeSlotList, TextSlotList
from home_assistant_intents import get_intents, get_languages

TAKING = {"ActivateSceneIntent": "activate_scene", "RunScriptIntent": "run_script", "LocateIntent": None}
ANY = "xyz"  # a room, a device of each domain, and whatever else a sentence may have


class Assist:
    def __init__(self, language: dict[str, Any]) -> None:
        locale, self.rewrites = language["locales"][0], language["echo"]["rewrites"]
        self.intents = Intents.from_dict(get_intents(locale if locale in get_languages() else locale[:2]))
        data = [data for intent in self.intents.intents.values() for data in intent.data]
        home = {domain: [] for each in data for domain in each.requires_context.get("domain", ())} | language["home"]
        for domain, name in {"scene": "Scenes", "script": "Scripts", "person": "People"}.items():
            home[domain] = [words[0] for words in language["types"][name].values()]
        rooms = TextSlotList.from_strings([*home.pop("area"), ANY])
        names = [(name, name, {"domain": domain}) for domain, names in home.items() for name in [*names, ANY]]
        self.lists = {"area": rooms, "floor": rooms, "name": TextSlotList.from_tuples(names)}

    def command(self, text: str, room: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]] | None:
        """The intent and the slots of a sentence that is accepted, as it is or rewritten."""
        rewritten = text
        for rewrite in self.rewrites:
            rewritten = re.sub(rewrite["pattern"], rewrite["replacement"], rewritten, flags=re.I)
        options = {"slot_lists": self.lists, "intent_context": room, "best_slot_name": "name"}
        found = recognize_best(text, self.intents, **options) or recognize_best(rewritten, self.intents, **options)
        return found and (found.intent.name, {name: slot.value for name, slot in found.entities.items()})

    def say(self, item: Any) -> str:
        """A sentence of a template, by chance."""
        if isinstance(item, TextChunk):
            return item.original_text
        if isinstance(item, RuleReference):
            return self.say(self.intents.expansion_rules[item.rule_name].expression)
        if isinstance(item, Group):
            return "".join(map(self.say, [random.choice(item.items)] if isinstance(item, Alternative) else item.items))
        values = self.intents.slot_lists.get(item.list_name)
        if isinstance(values, TextSlotList):
            return self.say(random.choice(values.values).text_in)
        return str(values.start) if isinstance(values, RangeSlotList) else ANY


def problems(language: dict[str, Any]) -> Iterator[str]:
    assist, echo = Assist(language), language["echo"]
    examples = [re.split(language["invocation"], phrase, flags=re.I)[1] for phrase in language["phrases"][1:]]
    examples += re.findall("[“„«「]\\s?(.+?)\\s?[”“»」]", echo["help"])
    examples += [each for words in language["types"].get("Sentences", ()) for each in words] + language["indirect"]
    yield from (f"Assist does not accept {each!r}" for each in examples if not assist.command(each.strip(" ,،、")))

    random.seed(0)
    # Three sentences of each template, but no small talk, nor where a person is: that is no loss.
    intents = [intent for name, intent in assist.intents.intents.items() if name != "HassRespond"]
    data = [data for intent in intents for data in intent.data if data.requires_context.get("domain") != ["person"]]
    said = dict.fromkeys(assist.say(each.expression).strip() for one in data for each in one.sentences * 3)
    room = {"area": {"value": ANY, "text": ANY}}
    for sample, key in [(sample, key) for intent, key in TAKING.items() for sample in language["samples"][intent]]:
        spelled = sample if " " in echo["no_answer"] else sample.replace(" ", "")  # Japanese is written without blanks.
        for taken in filter(None, map(re.compile(re.sub(r"{\w+}", "(.+)", spelled), re.I).fullmatch, said)):
            handed = echo[key].format(name=taken[1]) if key else ""
            if handed != taken[0] and assist.command(taken[0], room) not in (None, assist.command(handed, room)):
                yield f"{sample!r} takes {taken[0]!r} from Assist and hands it {handed!r}"


if __name__ == "__main__":
    found = [f"languages/{name}.yaml: {each}" for name, texts in skill.LANGUAGES.items() for each in problems(texts)]
    sys.exit("\n".join(found) or None)
