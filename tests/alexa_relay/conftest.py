"""A home with Alexa Relay, and its Echos."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from inspect import isawaitable
import logging
from typing import Any

from aiohttp.test_utils import TestClient
from homeassistant.components import conversation
from homeassistant.config_entries import SOURCE_USER, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er, intent
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.alexa_relay import echo

GREETING = "What can I do for you?"
SKILL = "amzn1.ask.skill.08888888-7777-6666-5555-444444444444"
SSML = '<speak>Now<break time="1s"/> or <break/>?</speak>'

type Said = tuple[str | None, str | None]


@dataclass
class Alexa:
    """An Echo: sends what Alexa sends, and returns what she says, and what she repeats if nobody answers."""

    client: TestClient[Any, Any]
    device_id: str | None = "kitchen"
    locale: str = "en-US"
    response: dict[str, Any] = field(default_factory=dict)  # the last one

    async def send(self, request: Any, **envelope: Any) -> Said:
        session = {"application": {"applicationId": SKILL}}
        system = {"System": {"device": {"deviceId": self.device_id}}}
        message = {"session": session, "context": system, "request": {"locale": self.locale} | request} | envelope
        response = await self.client.post("/api/alexa", json=message)
        self.response = (await response.json())["response"]
        speeches = [each.get("outputSpeech", {}) for each in (self.response, self.response.get("reprompt", {}))]
        said, repeated = (speech.get("text") or speech.get("ssml") for speech in speeches)
        assert self.response["shouldEndSession"] == (repeated is None)
        return said, repeated

    async def launch(self) -> Said:
        return await self.send({"type": "LaunchRequest"})

    async def end(self, reason: str = "EXCEEDED_MAX_REPROMPTS") -> Said:
        return await self.send({"type": "SessionEndedRequest", "reason": reason})

    async def intent(self, name: str, **slots: Any) -> Said:
        given = {slot: {"name": slot, "value": value} for slot, value in slots.items()}
        return await self.send({"type": "IntentRequest", "intent": {"name": name, "slots": given}})

    async def built_in(self, name: str) -> Said:
        return await self.intent(f"AMAZON.{name}Intent")

    async def say(self, text: str) -> Said:
        return await self.intent("AskIntent", Query=text)


class Agent(conversation.AbstractConversationAgent):
    """Answers as a function does, and remembers what it heard; what ends with "…" goes on."""

    supported_languages = "*"

    def __init__(self, answer: Callable[..., Any]) -> None:
        self.answer, self.heard = answer, []

    async def async_process(self, user_input: conversation.ConversationInput) -> conversation.ConversationResult:
        self.heard.append(user_input)
        response = intent.IntentResponse(language=user_input.language)
        answer = self.answer(user_input, response)
        text = await answer if isawaitable(answer) else answer
        if text is not None:
            response.async_set_speech(text)
        conversation_id = user_input.conversation_id or f"conversation {len(self.heard)}"
        return conversation.ConversationResult(response, conversation_id, str(text).endswith("…"))


@dataclass
class Home:
    """Home Assistant with Alexa Relay."""

    hass: HomeAssistant
    entry: ConfigEntry
    client: TestClient[Any, Any]
    opened: asyncio.Queue[list[Any]] = field(default_factory=asyncio.Queue)  # what players get, to open the skill

    async def reload(self) -> None:
        assert await self.hass.config_entries.async_reload(self.entry.entry_id)

    def agent(self, answer: Callable[..., Any]) -> list[conversation.ConversationInput]:
        """Make a function the conversation agent; returns what that will have heard."""
        agent = Agent(answer)
        conversation.async_set_agent(self.hass, self.entry, agent)
        self.hass.config_entries.async_update_entry(self.entry, options={"agent_id": self.entry.entry_id})
        return agent.heard

    def device(self, number: int = 1, **changes: Any) -> dr.DeviceEntry:
        """Return the device of the nth Echo, and change it."""
        devices = dr.async_entries_for_config_entry(dr.async_get(self.hass), self.entry.entry_id)
        device = next(device for device in devices if device.name == f"Echo {number}")
        return dr.async_get(self.hass).async_update_device(device.id, **changes) or device

    def player(self, name: str = "kitchen", domain: str = "alexa_media") -> str:
        """Return the device of a new media player."""
        entry = MockConfigEntry(domain=domain)
        entry.add_to_hass(self.hass)
        devices, entities = dr.async_get(self.hass), er.async_get(self.hass)
        device = devices.async_get_or_create(config_entry_id=entry.entry_id, identifiers={(domain, name)})
        entities.async_get_or_create("media_player", domain, name, device_id=device.id, suggested_object_id=name)
        return device.id

    def ask(self, device_id: str, question: str = "Shall I?", **data: Any) -> asyncio.Task[Any]:
        """Ask as an automation does; the task's result is the reply."""
        data |= {"device_id": device_id, "question": question}
        call = self.hass.services.async_call("alexa_relay", "ask_question", data, blocking=True, return_response=True)
        return self.hass.async_create_background_task(call, question)

    async def ask_at(self, alexa: Alexa, device_id: str | None = None, **data: Any) -> asyncio.Task[Any]:
        """Ask, until somebody is to answer at an Echo."""
        task = self.ask(device_id or self.player(), **data)
        await self.opened.get()
        assert await alexa.launch() == ("Shall I?", "Shall I?")
        return task


@pytest.fixture
def configuration() -> dict[str, Any]:
    return {}  # a test may have its own


@pytest.fixture
async def home(
    hass: HomeAssistant, hass_client: Any, enable_custom_integrations: None, configuration: dict[str, Any], caplog: Any
) -> AsyncGenerator[Home]:
    """Add Alexa Relay, which asks for nothing, and logs nothing that a person would have to look at."""
    for domain in ("homeassistant", *configuration):
        assert await async_setup_component(hass, domain, configuration)
    form = await hass.config_entries.flow.async_init("alexa_relay", context={"source": SOURCE_USER})
    assert (form["type"], form["data_schema"]) == ("form", None)
    added = await hass.config_entries.flow.async_configure(form["flow_id"], {})
    await hass.async_block_till_done()
    home = Home(hass, added["result"], await hass_client())
    for domain, action in (("media_player", "play_media"), ("alexa_devices", "send_text_command")):
        put = callback(lambda call: home.opened.put_nowait(list(call.data.values())))
        hass.services.async_register(domain, action, put)
    yield home
    known = ("has not been tested", "being overwritten", "The conversation agent failed", "Unknown intent")
    for record in caplog.get_records("call"):
        if record.levelno >= logging.WARNING and record.name != "asyncio":  # Slow machines are no fault.
            assert "alexa" not in (line := record.getMessage()).lower() or any(each in line for each in known)


@pytest.fixture
def alexa(home: Home) -> Alexa:
    return Alexa(home.client)


@pytest.fixture
def bedroom(home: Home) -> Alexa:
    return Alexa(home.client, "bedroom")


@pytest.fixture
def set_seconds(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, float], None]:
    """Return what sets PATIENCE, how long an Echo waits for an answer, or KEEP, how long it tells a late one."""
    return lambda name, seconds: monkeypatch.setattr(echo, name, seconds)
