"""Setting up, restarting, reloading and removing; the options and the diagnostics."""

import asyncio
from typing import Any

from homeassistant.components.alexa import intent as alexa_intent
from homeassistant.config_entries import SOURCE_USER
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import device_registry as dr, intent
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.alexa_relay import echo as echo_module
from custom_components.alexa_relay.diagnostics import async_get_config_entry_diagnostics

from .conftest import GREETING, SKILL, device_of, said


async def test_adding_asks_for_nothing(hass) -> None:
    flow = await hass.config_entries.flow.async_init("alexa_relay", context={"source": SOURCE_USER})
    assert (flow["type"], flow["data_schema"]) == (FlowResultType.FORM, None)
    flow = await hass.config_entries.flow.async_configure(flow["flow_id"], {})
    assert (flow["type"], flow["title"]) == (FlowResultType.CREATE_ENTRY, "Alexa Relay")


@pytest.mark.parametrize("alexa_yaml", [None, {}, {"smart_home": {}}])
async def test_beside_alexa_in_yaml(hass, hass_client, alexa_yaml: Any, caplog) -> None:
    if alexa_yaml is not None:
        assert await async_setup_component(hass, "alexa", {"alexa": alexa_yaml})
    entry = MockConfigEntry(domain="alexa_relay")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    client = await hass_client()
    session = {"application": {"applicationId": SKILL}}
    response = await client.post("/api/alexa", json={"session": session, "request": {"type": "LaunchRequest"}})
    assert (await response.json())["response"]["outputSpeech"]["text"] == GREETING
    assert (await client.get("/api/alexa/smart_home")).status == (405 if alexa_yaml else 404)
    assert not [each for each in caplog.records if each.levelno >= 30 and "alexa" in each.name]


async def test_no_tool_of_a_language_model(hass, entry, alexa) -> None:
    await alexa.launch()
    ours = [each for each in intent.async_get(hass) if type(each).__module__.startswith("custom_components")]
    assert len(ours) == 14
    assert all(each.platforms == {"alexa"} for each in ours)


async def test_restart_keeps_what_is_known(hass, entry, alexa) -> None:
    """After a restart, the first launch is answered, and Echos have their devices."""
    alexa.locale = "de-DE"
    await alexa.launch()
    stored, device = entry.data, device_of(hass, entry)
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert entry.data == stored
    echo = entry.runtime_data.echos.of_device(device.id)
    assert (echo.locale, echo.skill) == ("de-DE", SKILL)
    assert intent.async_get(hass)
    await alexa.launch()
    assert device_of(hass, entry).id == device.id


async def test_reload_in_the_middle(hass, entry, alexa, agent) -> None:
    """Whoever waits for an answer is told that there is none; nothing is left running."""

    async def never(heard: Any, response: Any) -> str:
        await asyncio.Event().wait()
        return ""

    agent(never)
    for number in range(3):
        waiting = asyncio.create_task(alexa.say("hello"))
        await asyncio.sleep(0.05)
        assert await hass.config_entries.async_reload(entry.entry_id), number
        assert said(await waiting) == ("I got no answer.", None)
    assert said(await alexa.launch())[0] == GREETING


async def test_removal_leaves_all_as_it_was(hass, entry, alexa) -> None:
    theirs = alexa_intent.async_handle_intent
    assert theirs not in alexa_intent.HANDLERS.values()
    await alexa.launch()
    assert await hass.config_entries.async_remove(entry.entry_id)
    await hass.async_block_till_done()
    assert set(alexa_intent.HANDLERS.values()) == {theirs}
    assert not [each for each in intent.async_get(hass) if each.platforms == {"alexa"}]
    assert not hass.states.async_entity_ids("event") + hass.states.async_entity_ids("sensor")
    assert said(await alexa.launch())[0] == "This intent is not yet configured within Home Assistant."


async def test_options(hass, entry, alexa, echo_at) -> None:
    """The last fields have the names of the Echos."""
    await alexa.launch()
    await echo_at("bedroom").launch()
    for number in (1, 2):
        dr.async_get(hass).async_update_device(device_of(hass, entry, number).id, name_by_user="Kitchen")
    flow = await hass.config_entries.options.async_init(entry.entry_id)
    fields = [str(field) for field in flow["data_schema"].schema]
    assert fields[:3] == ["agent_id", "invocation", "Kitchen"]
    assert fields[3].startswith("Kitchen (")
    dr.async_get(hass).async_update_device(device_of(hass, entry, 1).id, name_by_user="Renamed meanwhile")
    options = {"agent_id": "conversation.gpt", "invocation": "my home"}
    await hass.config_entries.options.async_configure(flow["flow_id"], options | {fields[3]: "player"})
    assert entry.options == options
    assert sorted(str(echo["player"]) for echo in entry.data["echos"].values()) == ["None", "player"]


async def test_diagnostics_have_no_secrets(hass, entry, alexa, agent) -> None:
    agent(lambda heard, response: "Which room?")
    await alexa.say("my secret wish")
    text = str(await async_get_config_entry_diagnostics(hass, entry))
    assert "str, 0 late" in text
    assert not [secret for secret in (SKILL, "kitchen", "secret", "room") if secret in text]


async def test_without_internal_apis(hass, hass_client, monkeypatch, agent, entry) -> None:
    """A release without HANDLERS: Echos are known all the same, and launches once the skill is."""
    monkeypatch.delattr(alexa_intent, "HANDLERS")
    assert await hass.config_entries.async_reload(entry.entry_id)
    monkeypatch.undo()
    heard = agent(lambda heard, response: "Hello.")
    client = await hass_client()
    query = {"Query": {"name": "Query", "value": "hello"}}
    message = {
        "session": {"application": {"applicationId": SKILL}},
        "context": {"System": {"device": {"deviceId": "kitchen"}}},
        "request": {"type": "IntentRequest", "intent": {"name": "AskIntent", "slots": query}},
    }
    response = await client.post("/api/alexa", json=message)
    assert said((await response.json())["response"])[0] == "Hello."
    assert heard[0].device_id == device_of(hass, entry).id


async def test_hundred_echos(echo_at, agent, monkeypatch) -> None:
    """At the same time, each with its own device and answer."""
    monkeypatch.setattr(echo_module, "PATIENCE", 6)
    agent(lambda heard, response: f"{heard.text} {heard.device_id}")
    echos = [echo_at(f"echo {number}") for number in range(100)]
    answers = await asyncio.gather(*(echo.say(f"I am {number}") for number, echo in enumerate(echos)))
    texts = [said(answer)[0].split() for answer in answers]
    assert [text[2] for text in texts] == [str(number) for number in range(100)]
    assert len({text[3] for text in texts}) == 100
