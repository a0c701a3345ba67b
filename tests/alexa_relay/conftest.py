"""Homes, Echos and agents for the tests."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
import logging
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.components import conversation
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr, intent
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.alexa_relay import echo

GREETING = "What can I do for you?"
SKILL = "amzn1.ask.skill.08888888-7777-6666-5555-444444444444"

type Agent = Callable[[conversation.ConversationInput, intent.IntentResponse], Awaitable[str | None] | str | None]


@pytest.fixture(autouse=True)
async def home(
    hass: HomeAssistant,
    monkeypatch: pytest.MonkeyPatch,
    enable_custom_integrations: None,
    caplog: pytest.LogCaptureFixture,
) -> AsyncGenerator[None]:
    """Let nobody wait for long, and nothing be logged that a person would have to look at."""
    monkeypatch.setattr(echo, "PATIENCE", 0.1)
    assert await async_setup_component(hass, "homeassistant", {})
    yield
    known = ("has not been tested", "being overwritten", "The conversation agent failed", "Unknown intent")
    records = [record for record in caplog.get_records("call") if record.levelno >= logging.WARNING]
    lines = [record.getMessage() for record in records if record.name != "asyncio"]  # Slow machines are no fault.
    assert not [line for line in lines if "alexa" in line.lower() and not any(each in line for each in known)]


@pytest.fixture
async def entry(hass: HomeAssistant) -> MockConfigEntry:
    """Alexa Relay, set up without a line of YAML."""
    entry = MockConfigEntry(domain="alexa_relay", title="Alexa Relay")
    entry.add_to_hass(hass)
    assert await hass.config_entries.async_setup(entry.entry_id)
    await hass.async_block_till_done()
    return entry


class Alexa:
    """An Echo: sends what Alexa sends, and remembers what she says."""

    def __init__(self, client: TestClient[Any, Any], device_id: str | None, locale: str, skill: str) -> None:
        self.client, self.device_id, self.locale, self.skill = client, device_id, locale, skill

    async def send(self, request: Any, **envelope: Any) -> dict[str, Any]:
        """Return the response to a request."""
        system = {"System": {"device": {"deviceId": self.device_id}}}
        session = {"application": {"applicationId": self.skill}}
        message = {"session": session, "context": system, "request": request} | envelope
        async with asyncio.timeout(20):
            response = await self.client.post("/api/alexa", json=message)
            assert response.status == 200
            return dict((await response.json())["response"])

    async def launch(self) -> dict[str, Any]:
        return await self.send({"type": "LaunchRequest", "locale": self.locale})

    async def end(self, reason: str = "EXCEEDED_MAX_REPROMPTS") -> dict[str, Any]:
        return await self.send({"type": "SessionEndedRequest", "locale": self.locale, "reason": reason})

    async def intent(self, name: str, **slots: Any) -> dict[str, Any]:
        given = {slot: {"name": slot, "value": value} for slot, value in slots.items()}
        request = {"type": "IntentRequest", "locale": self.locale, "intent": {"name": name, "slots": given}}
        return await self.send(request)

    async def say(self, text: str) -> dict[str, Any]:
        return await self.intent("AskIntent", Query=text)

    async def yes(self) -> dict[str, Any]:
        return await self.intent("AMAZON.YesIntent")

    async def no(self) -> dict[str, Any]:
        return await self.intent("AMAZON.NoIntent")


@pytest.fixture
async def echo_at(
    hass: HomeAssistant, entry: MockConfigEntry, hass_client: Callable[..., Awaitable[TestClient[Any, Any]]]
) -> Callable[..., Alexa]:
    """Return what makes Echos."""
    client = await hass_client()

    def make(device_id: str | None = "kitchen", locale: str = "en-US", skill: str = SKILL) -> Alexa:
        return Alexa(client, device_id, locale, skill)

    return make


@pytest.fixture
def alexa(echo_at: Callable[..., Alexa]) -> Alexa:
    """The Echo in the kitchen."""
    return echo_at()


@pytest.fixture
def agent(hass: HomeAssistant, entry: MockConfigEntry) -> Generator[Callable[[Agent], list[Any]]]:
    """Return what makes a function the conversation agent; it returns all that the agent hears."""

    def use(answer: Agent) -> list[conversation.ConversationInput]:
        heard = []

        class TestAgent(conversation.AbstractConversationAgent):
            supported_languages = "*"

            async def async_process(
                self, user_input: conversation.ConversationInput
            ) -> conversation.ConversationResult:
                heard.append(user_input)
                response = intent.IntentResponse(language=user_input.language)
                said = answer(user_input, response)
                if (text := said if isinstance(said, str) or said is None else await said) is not None:
                    response.async_set_speech(text)
                conversation_id = user_input.conversation_id or f"conversation {len(heard)}"
                return conversation.ConversationResult(response, conversation_id)

        conversation.async_set_agent(hass, entry, TestAgent())
        hass.config_entries.async_update_entry(entry, options={"agent_id": entry.entry_id})
        return heard

    yield use
    conversation.async_unset_agent(hass, entry)


def device_of(hass: HomeAssistant, entry: MockConfigEntry, number: int = 1) -> dr.DeviceEntry:
    """Return the device of the nth Echo."""
    devices = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return next(device for device in devices if device.name == f"Echo {number}")


def said(answer: dict[str, Any]) -> tuple[str | None, str | None]:
    """Return what Alexa says, and what she repeats if nobody answers."""

    def words(speech: dict[str, str]) -> str | None:
        return speech.get("text") or speech.get("ssml")

    reprompt = words(answer["reprompt"]["outputSpeech"]) if "reprompt" in answer else None
    assert answer["shouldEndSession"] == (reprompt is None)
    return words(answer.get("outputSpeech", {})), reprompt
