"""Home Assistant's side: the intents, and the request envelope, of which Home Assistant hands on only the slots.

https://developer.amazon.com/docs/alexa/custom-skills/request-and-response-json-reference.html
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from html import escape
import re
from typing import Any

from homeassistant.components.alexa import intent as alexa
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import intent, issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.http import current_request

from . import home
from .const import DOMAIN, SIGNAL_HEARD
from .echo import Answer, Echo, Ssml
from .questions import Questions

ISSUE = "own_intents"
BUILT_IN = ("Yes", "No", "Help", "Fallback", "Stop", "Cancel", "NavigateHome")
OWN = ("Ask", "Locate", "WhereAreWe", "ActivateScene", "RunScript")


type Handle = Callable[[HomeAssistant, Any], Awaitable[Any]]


@dataclass(eq=False)
class Intents:
    """The intents of the skill."""

    hass: HomeAssistant
    entry: ConfigEntry
    questions: Questions

    def __post_init__(self) -> None:
        """Answer them from now on."""
        if not any(each.canonical == alexa.INTENTS_API_ENDPOINT for each in self.hass.http.app.router.resources()):
            alexa.async_setup(self.hass)  # no `alexa:` in configuration.yaml
        self._register()
        self.entry.async_on_unload(self._remove)
        # A release without them: only the first launch of a skill stays without an answer, and events are missing.
        handlers: dict[str, Handle] = getattr(alexa, "HANDLERS", {})
        theirs = dict(handlers)
        handlers.update({kind: partial(self._hear_first, kind, handle) for kind, handle in theirs.items()})
        self.entry.async_on_unload(lambda: handlers.update(theirs))

    def hear(self, message: Any) -> Echo:
        """Return the Echo that sent a request envelope."""
        device_id = _text(message, "context", "System", "device", "deviceId")
        skill = _text(message, "session", "application", "applicationId")
        return self.questions.echos.hear(device_id, _text(message, "request", "locale"), skill)

    async def answer(self, name: str, slots: dict[str, str]) -> Answer | None:
        """Return the answer to an intent."""
        request = current_request.get()
        ours = request is not None and request.path == alexa.INTENTS_API_ENDPOINT
        echo = self.hear(await request.json() if request and ours else None)
        user = request[KEY_HASS_USER].id if request and KEY_HASS_USER in request else None
        sentences = echo.sentences
        match name.removeprefix("AMAZON.").removesuffix("Intent"):
            case "Ask":
                text = next((slots[slot] for slot in slots if not slot.endswith("_Id") and slots[slot].strip()), None)
                return await echo.say(text, user) if text else echo.repeat(sentences["not_understood"])
            case "Yes" | "No" as key:
                return await echo.say(sentences[key.lower()][0], user)
            case "Help":
                return echo.repeat(sentences["help"])
            case "Fallback":
                return echo.repeat(sentences["not_understood"])
            case "Stop" | "Cancel" | "NavigateHome" as key:
                echo.end(wanted=False)
                return Answer((sentences["cancelled" if key == "Cancel" else "goodbye"],))
            case "Locate" | "WhereAreWe":
                return home.where(self.hass, echo, slots)
            case "ActivateScene":
                return await home.turn_on(self.hass, echo, slots, "scene", user)
            case "RunScript":
                return await home.turn_on(self.hass, echo, slots, "script", user)
        if not name.endswith(".SessionEndedRequest"):
            return await echo.launch(self.questions.asked_by(echo))
        echo.end(wanted=slots.get("reason") != "USER_INITIATED")
        return None

    async def _hear_first(self, kind: str, handle: Handle, hass: HomeAssistant, message: Any) -> Any:
        """See each request before its intent is looked up, also one of a person's own intents."""
        echo = self.hear(message)
        self._register()
        slots = (message["request"].get("intent") or {}).get("slots", {})
        values = (_text(slot, "value") for slot in slots.values())
        person = _text(message, "context", "System", "person", "personId")
        attributes = {
            "intent": _text(message, "request", "intent", "name") or kind,
            "sentence": next(filter(None, values), None),
            "language": echo.locale,
            "person": person and self.questions.echos.hash(person),
            "reason": _text(message, "request", "reason"),
        }
        echo.heard = ("ended" if kind == "SessionEndedRequest" else "said", attributes)
        async_dispatcher_send(hass, SIGNAL_HEARD, echo)
        return await handle(hass, message)

    @callback
    def _register(self) -> None:
        """Register what nobody else has registered: a person's own intents win."""
        there = {handler.intent_type: handler for handler in intent.async_get(self.hass)}
        names = {f"{name}Intent" for name in OWN} | {f"AMAZON.{name}Intent" for name in BUILT_IN}
        # Launches and ends are intents named by the skill's id.
        skills = {echo.skill for echo in self.questions.echos.by_key.values() if echo.skill}
        names |= {*skills, *(f"{skill}.SessionEndedRequest" for skill in skills)}
        for name in names - there.keys():
            intent.async_register(self.hass, RelayIntent(self, name))
        own = sorted(name for name in names & there.keys() if not isinstance(there[name], RelayIntent))
        if not own:
            ir.async_delete_issue(self.hass, DOMAIN, ISSUE)
            return
        texts: Any = {"translation_key": ISSUE, "translation_placeholders": {"intents": ", ".join(own)}}
        severity = ir.IssueSeverity.WARNING
        ir.async_create_issue(self.hass, DOMAIN, ISSUE, is_fixable=False, severity=severity, **texts)

    @callback
    def _remove(self) -> None:
        for handler in list(intent.async_get(self.hass)):
            if isinstance(handler, RelayIntent):
                intent.async_remove(self.hass, handler.intent_type)
        ir.async_delete_issue(self.hass, DOMAIN, ISSUE)


class RelayIntent(intent.IntentHandler):
    """One intent of the skill."""

    platforms = {"alexa"}  # noqa: RUF012 - as the base class has it: no tool of a language model

    def __init__(self, intents: Intents, intent_type: str) -> None:
        """Name the intent."""
        self.intents = intents
        self.intent_type = intent_type

    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        """Answer the intent."""
        values = ((name, slot.get("value")) for name, slot in intent_obj.slots.items())
        slots = {name: value for name, value in values if isinstance(value, str)}
        answer = await self.intents.answer(self.intent_type, slots)
        response = intent_obj.create_response()
        if answer:
            response.async_set_speech(*_speech(*answer.speech))
            if answer.reprompt:
                response.async_set_reprompt(*_speech(answer.reprompt))
            if answer.card:
                response.async_set_card(**answer.card)
        return response


def _text(message: Any, *path: str) -> str | None:
    """Return the text at a path, if there is one."""
    for key in path:
        message = message.get(key) if isinstance(message, dict) else None
    return message if isinstance(message, str) and message.strip() else None


def _speech(*parts: str) -> tuple[str, str]:
    """Return a speech and its type: SSML if a part of it is."""
    if not any(isinstance(part, Ssml) for part in parts):
        return " ".join(parts), "plain"
    inner = " ".join(part if isinstance(part, Ssml) else escape(part, False) for part in parts)
    inner = re.sub(r"&(?!#?\w+;)", "&amp;", re.sub("</?speak[^<>]*>", "", inner))
    return f"<speak>{inner}</speak>", "ssml"
