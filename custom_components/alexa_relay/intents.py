"""The skill's requests: what Alexa sends, of which Home Assistant hands on only the slots, and what she gets.

https://developer.amazon.com/docs/alexa/custom-skills/request-and-response-json-reference.html
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from homeassistant.components.alexa import intent as alexa
from homeassistant.components.http.const import KEY_HASS_USER
from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_ON
from homeassistant.core import Context, HomeAssistant, State, callback
from homeassistant.helpers import intent, issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.http import current_request
from homeassistant.util import slugify

from .const import DOMAIN, SIGNAL_HEARD
from .echo import Answer, Echo
from .echos import AlexaRelayConfigEntry, Echos
from .questions import asked_by
from .speech import Ssml, join, shorten

ISSUE = "own_intents"
INTENTS = {f"{name}Intent" for name in ("Ask", "Locate", "WhereAreWe", "ActivateScene", "RunScript")} | {
    f"AMAZON.{name}Intent" for name in ("Yes", "No", "Help", "Fallback", "Stop", "Cancel", "NavigateHome")
}
TURN_ON = {"Scene": ("scene_activated", "activate_scene"), "Script": ("script_started", "run_script")}
PLACES = {"home": "home", "not_home": "away", "unknown": "unknown", "unavailable": "unknown"}  # else a zone's name

type Handle = Callable[[HomeAssistant, Any], Awaitable[Any]]


def set_up(hass: HomeAssistant, entry: AlexaRelayConfigEntry) -> None:
    """Answer the skill from now on."""
    if not any(each.canonical == alexa.INTENTS_API_ENDPOINT for each in hass.http.app.router.resources()):
        alexa.async_setup(hass)  # no `alexa:` in configuration.yaml
    _register(entry.runtime_data)
    entry.async_on_unload(partial(_remove, hass))
    # A release without them: only the first launch of a skill stays without an answer, and events are missing.
    handlers: dict[str, Handle] = getattr(alexa, "HANDLERS", {})
    theirs = dict(handlers)
    handlers.update({kind: partial(_hear_first, entry.runtime_data, handle) for kind, handle in theirs.items()})
    entry.async_on_unload(lambda: handlers.update(theirs))


async def _hear_first(echos: Echos, theirs: Handle, hass: HomeAssistant, message: Any) -> Any:
    """See each request before its intent is looked up, also one of a person's own intents."""
    echo, kind = _hear(echos, message), message["request"]["type"]
    _register(echos)
    person = _text(message, "context", "System", "person", "personId")
    slots = (message["request"].get("intent") or {}).get("slots", {})
    values = (_text(slot, "value") for slot in slots.values())
    attributes = {
        "intent": _text(message, "request", "intent", "name") or kind,
        "sentence": next(filter(None, values), None),
        "language": echo.locale,
        "person": person and echos.hash(person),
        "reason": _text(message, "request", "reason"),
    }
    echo.heard = ("ended" if kind == "SessionEndedRequest" else "said", attributes)
    async_dispatcher_send(hass, SIGNAL_HEARD, echo)
    return await theirs(hass, message)


def _hear(echos: Echos, message: Any) -> Echo:
    """Return the Echo that sent a request envelope."""
    device_id = _text(message, "context", "System", "device", "deviceId")
    skill = _text(message, "session", "application", "applicationId")
    return echos.hear(device_id, _text(message, "request", "locale"), skill)


@callback
def _register(echos: Echos) -> None:
    """Register what nobody else has registered: a person's own intents win."""
    hass, there = echos.hass, {handler.intent_type: handler for handler in intent.async_get(echos.hass)}
    # Home Assistant names launches and ends by the id of the skill.
    skills = {echo.skill for echo in echos.by_key.values() if echo.skill}
    names = INTENTS | skills | {f"{skill}.SessionEndedRequest" for skill in skills}
    for name in names - there.keys():
        intent.async_register(hass, RelayIntent(echos, name))
    own = sorted(name for name in names & there.keys() if not isinstance(there[name], RelayIntent))
    if not own:
        ir.async_delete_issue(hass, DOMAIN, ISSUE)
        return
    texts: Any = {"translation_key": ISSUE, "translation_placeholders": {"intents": ", ".join(own)}}
    ir.async_create_issue(hass, DOMAIN, ISSUE, is_fixable=False, severity=ir.IssueSeverity.WARNING, **texts)


@callback
def _remove(hass: HomeAssistant) -> None:
    for handler in list(intent.async_get(hass)):
        if isinstance(handler, RelayIntent):
            intent.async_remove(hass, handler.intent_type)
    ir.async_delete_issue(hass, DOMAIN, ISSUE)


class RelayIntent(intent.IntentHandler):
    """One intent of the skill."""

    platforms = {"alexa"}  # noqa: RUF012 - as the base class has it: no tool of a language model

    def __init__(self, echos: Echos, intent_type: str) -> None:
        """Name the intent."""
        self.echos, self.intent_type = echos, intent_type

    async def async_handle(self, intent_obj: intent.Intent) -> intent.IntentResponse:
        """Answer the intent."""
        values = ((name, slot.get("value")) for name, slot in intent_obj.slots.items())
        slots = {name: value for name, value in values if isinstance(value, str) and value.strip()}
        answer = await _answer(self.echos, self.intent_type, slots)
        response = intent_obj.create_response()
        if answer.speech:
            response.async_set_speech(*_speech(answer.speech))
        if answer.reprompt:
            response.async_set_reprompt(*_speech(answer.reprompt))
        if answer.card:
            response.async_set_card(**answer.card)
        return response


async def _answer(echos: Echos, name: str, slots: dict[str, str]) -> Answer:
    """Return the answer to an intent."""
    hass, request = echos.hass, current_request.get()
    ours = request is not None and request.path == alexa.INTENTS_API_ENDPOINT
    echo = _hear(echos, await request.json() if request and ours else None)
    user = request[KEY_HASS_USER].id if request and KEY_HASS_USER in request else None
    sentences, sentence = echo.sentences, next((slots[slot] for slot in slots if not slot.endswith("_Id")), None)
    match name.removeprefix("AMAZON.").removesuffix("Intent"):
        case "Ask" if sentence:
            return await echo.say(sentence, user)
        case "Yes" | "No" as key:
            return await echo.say(sentences[key.lower()][0], user)
        case "Help":
            return echo.repeat(sentences["help"])
        case "Ask" | "Fallback":
            return echo.repeat(sentences["not_understood"])
        case "Stop" | "Cancel" | "NavigateHome" as key:
            echo.end(wanted=False)
            return Answer(sentences["cancelled" if key == "Cancel" else "goodbye"])
        case "Locate" | "WhereAreWe":
            named = [_find(hass, "person", slots, "User")] if "User" in slots else hass.states.async_all("person")
            people = ((sentences[f"person_{PLACES.get(one.state, 'at')}"], one) for one in named if one)
            said = " ".join(sentence.format(name=one.name, zone=one.state) for sentence, one in people)
            return echo.aside(said or sentences["no_such_person"])
        case "ActivateScene":
            return await _turn_on(hass, echo, slots, "Scene", user)
        case "RunScript":
            return await _turn_on(hass, echo, slots, "Script", user)
    if not name.endswith(".SessionEndedRequest"):
        return await echo.launch(asked_by(echos, echo))
    echo.end(wanted=slots.get("reason") != "USER_INITIATED")
    return Answer("")


async def _turn_on(hass: HomeAssistant, echo: Echo, slots: dict[str, str], slot: str, user: str | None) -> Answer:
    """Activate a scene or start a script; let Assist do it where there is none of that name."""
    domain, (done, unknown) = slot.lower(), TURN_ON[slot]
    if not (name := slots.get(slot)):
        return echo.aside(echo.sentences[f"which_{domain}"])
    if not (found := _find(hass, domain, slots, slot)):
        return await echo.say(echo.sentences[unknown].format(name=name), user)
    # Without waiting: it may take longer than Alexa waits.
    await hass.services.async_call(domain, SERVICE_TURN_ON, {ATTR_ENTITY_ID: found.entity_id}, context=Context(user))
    return echo.aside(echo.sentences[done].format(name=name))


def _find(hass: HomeAssistant, domain: str, slots: dict[str, str], slot: str) -> State | None:
    """Return the entity that a slot names: by the id of its value, or else by its name."""
    name, states = slots[slot], hass.states.async_all(domain)
    by_id = (state for state in states if state.object_id == slots.get(f"{slot}_Id"))
    by_name = (state for state in states if slugify(name) in (state.object_id, slugify(state.name)))
    # The rest of a sentence may stand before a person's name: "if Paul", "o Paulo".
    ends = (state for state in states if domain == "person" and slugify(name).endswith(f"_{slugify(state.name)}"))
    return next(by_id, None) or next(by_name, None) or next(ends, None)


def _text(message: Any, *path: str) -> str | None:
    """Return the text at a path, if there is one."""
    for key in path:
        message = message.get(key) if isinstance(message, dict) else None
    return message if isinstance(message, str) and message.strip() else None


def _speech(text: str) -> tuple[str, str]:
    """Return a speech and its type."""
    speech = join(text)
    return (speech, "ssml") if isinstance(speech, Ssml) else (shorten(speech), "plain")
