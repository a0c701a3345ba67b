"""What the skill's own intents do: people, scenes and scripts."""

from homeassistant.const import ATTR_ENTITY_ID, SERVICE_TURN_ON
from homeassistant.core import Context, HomeAssistant, State
from homeassistant.util import slugify

from .echo import Answer, Echo

PLACES = {"home": "home", "not_home": "away", "unknown": "unknown", "unavailable": "unknown"}  # else a zone's name
TURN_ON = {"scene": ("scene_activated", "activate_scene"), "script": ("script_started", "run_script")}


def where(hass: HomeAssistant, echo: Echo, slots: dict[str, str]) -> Answer:
    """Say where somebody is, or else everybody."""
    found = [_find(hass, "person", slots, "User")] if slots.get("User") else hass.states.async_all("person")
    people = ((echo.sentences[f"person_{PLACES.get(one.state, 'at')}"], one) for one in found if one)
    said = " ".join(sentence.format(name=one.name, zone=one.state) for sentence, one in people)
    return echo.aside(said or echo.sentences["no_such_person"])


async def turn_on(hass: HomeAssistant, echo: Echo, slots: dict[str, str], domain: str, user: str | None) -> Answer:
    """Activate a scene or start a script; let Assist do it where there is none of that name."""
    slot, (done, unknown) = domain.capitalize(), TURN_ON[domain]
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
    return next(by_id, None) or next(by_name, None)
