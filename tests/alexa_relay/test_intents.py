"""The skill's own intents, a person's own, and the Echo that they come from."""

from typing import Any

from homeassistant.helpers import area_registry as ar, device_registry as dr, intent, issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from .conftest import GREETING, SKILL, device_of, said

LAST = "sensor.alexa_relay_last_echo"


@pytest.mark.parametrize(
    ("slots", "answer"),
    [
        ({"User": "Paul"}, "Paul is at home."),
        ({"User": "anne  marie"}, "Anne-Marie is away."),
        ({"User": "JÖRG"}, "Jörg is at Work."),
        ({"User": "nobody"}, "I don't know anyone by that name."),
        ({}, "Paul is at home. Anne-Marie is away. Jörg is at Work. I do not know where Max is."),
    ],
)
async def test_people(alexa, hass, slots: dict[str, str], answer: str) -> None:
    states = {"paul": "home", "anne": "not_home", "joerg": "Work", "max": "unknown"}
    names = ("Paul", "Anne-Marie", "Jörg", "Max")
    for (person, state), name in zip(states.items(), names, strict=True):
        hass.states.async_set(f"person.{person}", state, {"friendly_name": name})
    assert said(await alexa.intent("LocateIntent" if slots else "WhereAreWeIntent", **slots)) == (answer, None)


async def test_nobody(alexa) -> None:
    assert said(await alexa.intent("WhereAreWeIntent"))[0] == "I don't know anyone by that name."


@pytest.mark.parametrize(("intent_name", "slot"), [("ActivateSceneIntent", "Scene"), ("RunScriptIntent", "Script")])
async def test_scenes_and_scripts(alexa, hass, agent, intent_name: str, slot: str) -> None:
    """By id, by name, by what Home Assistant makes of the name; else Assist hears a whole sentence."""
    domain = slot.lower()
    heard = agent(lambda heard, response: "Assist.")
    turned_on = async_mock_service(hass, domain, "turn_on")
    for object_id, name in (("movie_time", "Cinema"), ("living_room", "Soirée d'été")):
        hass.states.async_set(f"{domain}.{object_id}", "x", {"friendly_name": name})
    match = {"status": {"code": "ER_SUCCESS_MATCH"}, "values": [{"value": {"id": "movie_time", "name": "movie time"}}]}
    resolved = {"name": slot, "value": "film", "resolutions": {"resolutionsPerAuthority": [match]}}
    request = {"type": "IntentRequest", "intent": {"name": intent_name, "slots": {slot: resolved}}}
    assert said(await alexa.send(request)) == ("OK, movie time.", None)
    for name in ("CINEMA", "soiree d ete", "living room"):
        assert said(await alexa.intent(intent_name, **{slot: name})) == (f"OK, {name}.", None)
    places = ["movie_time", "movie_time", "living_room", "living_room"]
    assert [call.data["entity_id"] for call in turned_on] == [f"{domain}.{place}" for place in places]
    assert said(await alexa.intent(intent_name, **{slot: "disco"})) == ("Assist.", None)
    assert heard[0].text == {"scene": "activate disco", "script": "run disco"}[domain]
    assert said(await alexa.intent(intent_name)) == (f"I did not hear which {domain}.", None)


async def test_ends(alexa) -> None:
    assert said(await alexa.intent("AMAZON.CancelIntent")) == ("OK, cancelled.", None)
    assert said(await alexa.intent("AMAZON.NavigateHomeIntent")) == ("Goodbye.", None)
    assert said(await alexa.end()) == (None, None)


async def test_echo_is_a_device(alexa, echo_at, hass, entry) -> None:
    """It keeps its name and room, can be deleted, and no id of Amazon's is stored."""
    alexa.device_id = "amzn1.ask.device.SECRET"
    await alexa.launch()
    await echo_at("bedroom").launch()
    device = device_of(hass, entry)
    assert device_of(hass, entry, 2).id != device.id
    assert "SECRET" not in str(entry.data) + str(device.identifiers)
    registry = dr.async_get(hass)
    registry.async_update_device(device.id, name_by_user="Kitchen Echo")
    await alexa.launch()
    assert hass.states.get(LAST).state == "Kitchen Echo"
    assert hass.states.get(f"event.{'echo_1'}").attributes["intent"] == "LaunchRequest"
    from custom_components.alexa_relay import async_remove_config_entry_device

    assert await async_remove_config_entry_device(hass, entry, device)
    registry.async_remove_device(device.id)
    await hass.async_block_till_done()
    assert len(entry.data["echos"]) == 1
    await alexa.launch()
    await hass.async_block_till_done()
    assert len(entry.data["echos"]) == 2
    assert hass.states.get("event.echo_1").attributes["intent"] == "LaunchRequest"


async def test_own_intent_knows_the_echo(alexa, echo_at, hass, entry) -> None:
    """It never passes our handlers; what was said is an event of the Echo's."""
    text = f"{{{{ states('{LAST}') }}}} in {{{{ state_attr('{LAST}', 'area') }}}}"
    own = {"OwnIntent": {"speech": {"text": text}}}
    assert await async_setup_component(hass, "intent_script", {"intent_script": own})
    await alexa.launch()
    area = ar.async_get(hass).async_create("Kitchen")
    dr.async_get(hass).async_update_device(device_of(hass, entry).id, area_id=area.id)
    await echo_at("bedroom").launch()
    request = {
        "type": "IntentRequest",
        "locale": "en-US",
        "intent": {"name": "OwnIntent", "slots": {"Thing": {"name": "Thing", "value": "lamp"}, "Other": {}}},
    }
    person = {"System": {"device": {"deviceId": "kitchen"}, "person": {"personId": "amzn1.ask.person.SECRET"}}}
    assert said(await alexa.send(request, context=person))[0] == "Echo 1 in Kitchen"
    event = hass.states.get("event.echo_1").attributes
    assert (event["event_type"], event["intent"], event["sentence"]) == ("said", "OwnIntent", "lamp")
    assert event["language"] == "en-US"
    assert event["person"]
    assert "SECRET" not in str(event)
    await alexa.end("USER_INITIATED")
    event = hass.states.get("event.echo_1").attributes
    assert (event["event_type"], event["reason"]) == ("ended", "USER_INITIATED")
    await echo_at(None).launch()
    assert hass.states.get(LAST).state == "unknown"


async def test_own_intent_wins(alexa, hass, entry) -> None:
    """A person's own intent of the same name wins, with a repair issue, until it is removed."""
    own = {"AMAZON.HelpIntent": {"speech": {"text": "Mine."}}, SKILL: {"speech": {"text": "My launch."}}}
    assert await async_setup_component(hass, "intent_script", {"intent_script": own})
    assert said(await alexa.intent("AMAZON.HelpIntent"))[0] == "Mine."
    assert said(await alexa.launch())[0] == "My launch."
    issue = ir.async_get(hass).async_get_issue("alexa_relay", "own_intents")
    assert issue.translation_placeholders == {"intents": f"AMAZON.HelpIntent, {SKILL}"}
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert said(await alexa.launch())[0] == "My launch."
    for name in own:
        intent.async_remove(hass, name)
    assert said(await alexa.intent("AMAZON.HelpIntent"))[0].startswith("Say what")
    assert not ir.async_get(hass).issues


@pytest.mark.parametrize(
    "odd",
    [
        {"context": None},
        {"context": {"System": []}},
        {"context": {"System": {"device": {"deviceId": 5}, "person": "x"}}},
        {"intent": {"name": "AskIntent"}},
        {"intent": {"name": "AskIntent", "slots": {}}, "locale": 5},
        {"intent": {"name": "AskIntent", "slots": {"Query": {"value": None}, "B": {"slotValue": {"type": "List"}}}}},
        {"intent": {"name": "AMAZON.HelpIntent"}, "locale": "xx-XX"},
    ],
)
async def test_odd_requests(alexa, caplog, odd: dict[str, Any]) -> None:
    """Whatever Alexa leaves out, there is an answer."""
    if "context" in odd:
        answer = await alexa.send({"type": "LaunchRequest"}, **odd)
    else:
        answer = await alexa.send({"type": "IntentRequest", **odd})
    assert said(answer)[1] == GREETING
    assert not [each for each in caplog.records if "alexa_relay" in each.name and each.levelname == "ERROR"]
