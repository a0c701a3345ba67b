"""The skill's own intents, a person's own, and the Echo that they come from."""

from typing import Any

from homeassistant.helpers import area_registry as ar, device_registry as dr, intent, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.alexa_relay import async_remove_config_entry_device

from .conftest import GREETING, SKILL

LAST = "sensor.alexa_relay_last_echo"
LAST_ECHO = f"{{{{ states('{LAST}') }}}} in {{{{ state_attr('{LAST}', 'area') }}}}"


async def test_people(home, alexa, hass) -> None:
    for request in (alexa.intent("WhereAreWeIntent"), alexa.intent("LocateIntent", User="Paul")):
        assert await request == ("I don't know anyone by that name.", None)
    states = {"Paul": "home", "Anne-Marie": "not_home", "Jörg": "Work", "Max": "unknown"}
    for number, (name, state) in enumerate(states.items()):
        hass.states.async_set(f"person.number_{number}", state, {"friendly_name": name})
    answers = {"Paul": "Paul is at home.", "anne  marie": "Anne-Marie is away.", "if JÖRG": "Jörg is at Work."}
    for name, answer in answers.items():
        assert await alexa.intent("LocateIntent", User=name) == (answer, None)
    everybody = "Paul is at home. Anne-Marie is away. Jörg is at Work. I do not know where Max is."
    assert await alexa.intent("WhereAreWeIntent") == (everybody, None)


@pytest.mark.parametrize(("domain", "verb"), [("scene", "activate"), ("script", "run")])
async def test_scenes_and_scripts(home, alexa, hass, domain: str, verb: str) -> None:
    """By id, by name, by what Home Assistant makes of the name; else Assist hears a whole sentence."""
    name, slot = {"scene": "ActivateSceneIntent", "script": "RunScriptIntent"}[domain], domain.capitalize()
    heard = home.agent(lambda heard, response: "Assist.")
    turned_on = async_mock_service(hass, domain, "turn_on")
    for object_id, friendly_name in (("movie_time", "Cinema"), ("living_room", "Soirée d'été")):
        hass.states.async_set(f"{domain}.{object_id}", "x", {"friendly_name": friendly_name})
    match = {"status": {"code": "ER_SUCCESS_MATCH"}, "values": [{"value": {"id": "movie_time", "name": "film night"}}]}
    resolved = {"name": slot, "value": "film", "resolutions": {"resolutionsPerAuthority": [match]}}
    request = {"type": "IntentRequest", "intent": {"name": name, "slots": {slot: resolved}}}
    assert await alexa.send(request) == ("OK, film night.", None)
    for said in ("CINEMA", "soiree d ete", "living room"):
        assert await alexa.intent(name, **{slot: said}) == (f"OK, {said}.", None)
    found = [call.data["entity_id"].partition(".")[2] for call in turned_on]
    assert found == ["movie_time", "movie_time", "living_room", "living_room"]
    assert await alexa.intent(name, **{slot: "disco cinema"}) == ("Assist.", None)
    assert heard[0].text == f"{verb} disco cinema"
    assert await alexa.intent(name) == (f"I did not hear which {domain}.", None)


async def test_echo_is_a_device(home, alexa, bedroom, hass) -> None:
    """It has the name that a person gave it, can be deleted and comes back; no id of Amazon's is stored."""
    alexa.device_id = "amzn1.ask.device.SECRET"
    await alexa.launch()
    await bedroom.launch()
    device = home.device(1, name_by_user="Kitchen Echo")
    assert "SECRET" not in str(home.entry.data) + str(device.identifiers)
    await alexa.launch()
    assert hass.states.get(LAST).state == "Kitchen Echo"
    assert await async_remove_config_entry_device(hass, home.entry, device)
    dr.async_get(hass).async_remove_device(device.id)
    await home.reload()
    assert hass.states.async_entity_ids("event") == ["event.echo_2"]
    await alexa.launch()
    await hass.async_block_till_done()
    assert hass.states.get("event.echo_1").attributes["intent"] == "LaunchRequest"


@pytest.mark.parametrize("configuration", [{"intent_script": {"OwnIntent": {"speech": {"text": LAST_ECHO}}}}])
async def test_own_intent_knows_the_echo(home, alexa, bedroom, hass) -> None:
    """The last Echo, its room, and what was said there are known before the intent runs."""
    await alexa.launch()
    home.device(area_id=ar.async_get(hass).async_create("Kitchen").id)
    await bedroom.launch()
    slots = {"Thing": {"name": "Thing", "value": "lamp"}, "Other": {}}
    person = {"System": {"device": {"deviceId": "kitchen"}, "person": {"personId": "amzn1.ask.person.SECRET"}}}
    request = {"type": "IntentRequest", "intent": {"name": "OwnIntent", "slots": slots}}
    assert (await alexa.send(request, context=person))[0] == "Echo 1 in Kitchen"
    event = dict(hass.states.get("event.echo_1").attributes)
    assert event.pop("person") not in (None, "amzn1.ask.person.SECRET")
    said = {"event_type": "said", "intent": "OwnIntent", "sentence": "lamp", "language": "en-US", "reason": None}
    assert event | said == event
    await alexa.end("USER_INITIATED")
    event = hass.states.get("event.echo_1").attributes
    assert (event["event_type"], event["reason"]) == ("ended", "USER_INITIATED")


async def test_own_intent_wins(home, alexa, hass) -> None:
    """A person's own intent of the same name wins, with a repair issue, until it is removed."""
    own = {"AMAZON.HelpIntent": {"speech": {"text": "Mine."}}, SKILL: {"speech": {"text": "My launch."}}}
    assert await async_setup_component(hass, "intent_script", {"intent_script": own})
    assert (await alexa.built_in("Help"))[0] == "Mine."
    assert (await alexa.launch())[0] == "My launch."
    issue = ir.async_get(hass).async_get_issue("alexa_relay", "own_intents")
    assert issue.translation_placeholders == {"intents": f"AMAZON.HelpIntent, {SKILL}"}
    await home.reload()
    assert (await alexa.launch())[0] == "My launch."
    for name in own:
        intent.async_remove(hass, name)
    assert (await alexa.built_in("Help"))[0].startswith("Say what")
    assert not ir.async_get(hass).issues


@pytest.mark.parametrize(
    ("odd", "context"),
    [
        ({}, None),
        ({}, {"System": {"device": {"deviceId": 5}, "person": "x"}}),
        ({"intent": {"name": "AskIntent"}}, {}),
        ({"intent": {"name": "AskIntent", "slots": {}}, "locale": 5}, {}),
        ({"intent": {"name": "AskIntent", "slots": {"Query": {"value": " "}, "B": {"slotValue": {}}}}}, {}),
        ({"intent": {"name": "AMAZON.HelpIntent"}, "locale": "xx-XX"}, {}),
    ],
)
async def test_odd_requests(alexa, hass, odd: dict[str, Any], context: Any) -> None:
    """Whatever Alexa leaves out, there is an answer."""
    request = {"type": "IntentRequest" if odd else "LaunchRequest", "locale": None} | odd
    assert (await alexa.send(request, context=context))[1] == GREETING
    assert hass.states.get(LAST).state == "unknown"
