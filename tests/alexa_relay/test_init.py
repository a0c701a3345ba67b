"""Setting up, reloading and removing; the options and the diagnostics."""

import asyncio
from typing import Any

from homeassistant.components.alexa import intent as alexa_intent
from homeassistant.config_entries import ConfigEntryState
from homeassistant.helpers import intent
import pytest

from custom_components.alexa_relay.diagnostics import async_get_config_entry_diagnostics

from .conftest import GREETING, SKILL, Alexa


async def test_adding_asks_for_nothing(home) -> None:
    assert (home.entry.title, home.entry.state) == ("Alexa Relay", ConfigEntryState.LOADED)


@pytest.mark.parametrize("configuration", [{}, {"alexa": {}}, {"alexa": {"smart_home": {}}}])
async def test_beside_alexa_in_yaml(alexa, configuration: Any) -> None:
    assert (await alexa.launch())[0] == GREETING
    status = 405 if configuration.get("alexa") else 404
    assert (await alexa.client.get("/api/alexa/smart_home")).status == status


async def test_no_tool_of_a_language_model(home) -> None:
    ours = [each for each in intent.async_get(home.hass) if type(each).__module__.startswith("custom_components")]
    assert [each.platforms for each in ours] == [{"alexa"}] * 12


async def test_reload_in_the_middle(home, alexa) -> None:
    """Whoever waits for an answer is told that there is none; nothing is left running."""
    heard = home.agent(lambda heard, response: asyncio.Event().wait())
    waiting = asyncio.create_task(alexa.say("hello"))
    while not heard:
        await asyncio.sleep(0)
    await home.reload()
    assert await waiting == ("I got no answer.", None)
    assert (await alexa.launch())[0] == GREETING


async def test_removal_leaves_all_as_it_was(home, alexa, hass) -> None:
    await alexa.launch()
    assert await hass.config_entries.async_remove(home.entry.entry_id)
    await hass.async_block_till_done()
    assert not hass.states.async_entity_ids(("event", "sensor"))
    assert (await alexa.launch())[0] == "This intent is not yet configured within Home Assistant."
    assert not [each for each in intent.async_get(hass) if each.platforms == {"alexa"}]


async def test_options(home, alexa, bedroom, hass) -> None:
    """The agent, the skill's name, and each Echo's player in a field that bears the Echo's name."""
    for number, echo in enumerate((alexa, bedroom), 1):
        await echo.launch()
        home.device(number, name_by_user="Kitchen")
    form = await hass.config_entries.options.async_init(home.entry.entry_id)
    *others, first, second = map(str, form["data_schema"].schema)
    assert (others, first, second[:9]) == (["agent_id", "invocation"], "Kitchen", "Kitchen (")
    home.device(1, name_by_user="Renamed meanwhile")
    options = {"agent_id": "conversation.gpt", "invocation": "my home"}
    players = {second: home.player("bedroom", "alexa_devices")}
    await hass.config_entries.options.async_configure(form["flow_id"], options | players)
    await home.reload()
    form = await hass.config_entries.options.async_init(home.entry.entry_id)
    shown = {str(field): field.description["suggested_value"] for field in form["data_schema"].schema}
    assert shown == options | {"Renamed meanwhile": None, "Kitchen": players[second]}
    home.ask(home.device(2).id)
    assert await home.opened.get() == [players[second], "open my home"]


async def test_diagnostics_have_no_secrets(home, alexa, hass) -> None:
    home.agent(lambda heard, response: "Which room?")
    await alexa.say("my secret wish")
    text = str(await async_get_config_entry_diagnostics(hass, home.entry))
    assert "en-US" in text
    assert not [secret for secret in (SKILL, "kitchen", "secret", "room") if secret in text]


async def test_without_internal_apis(home, alexa, monkeypatch) -> None:
    """A release without HANDLERS: Echos are known all the same, and launches once the skill is."""
    with monkeypatch.context() as patch:
        patch.delattr(alexa_intent, "HANDLERS")
        await home.reload()
    heard = home.agent(lambda heard, response: "Hello.")
    assert (await alexa.say("hello"))[0] == "Hello."
    assert heard[0].device_id == home.device().id


async def test_hundred_echos_at_once(home) -> None:
    home.agent(lambda heard, response: f"{heard.text} {heard.device_id}")
    echos = [Alexa(home.client, f"echo {number}") for number in range(100)]
    answers = await asyncio.gather(*(echo.say(f"hello from {echo.device_id}") for echo in echos))
    assert [said.rpartition(" ")[0] for said, _ in answers] == [f"hello from {echo.device_id}" for echo in echos]
    assert len(set(answers)) == 100  # devices
