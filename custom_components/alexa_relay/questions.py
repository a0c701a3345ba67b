"""The action ask_question: opens the skill on an Echo, and waits for the answer there."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID
from homeassistant.core import ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr, entity_registry as er
import voluptuous as vol

from .const import CONF_INVOCATION, DEFAULT_INVOCATION, DOMAIN
from .echo import Echo, Question, Ssml
from .echos import Echos
from .sentences import Matcher
from .speech import is_ssml

type AlexaRelayConfigEntry = ConfigEntry[Questions]


def answers(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refuse answers that hassil cannot read."""
    try:
        Matcher("", value)
    except Exception as error:
        raise vol.Invalid(str(error)) from error
    return value


ANSWER = {vol.Required("id"): cv.string, vol.Required("sentences"): vol.All(cv.ensure_list, [cv.string])}
SCHEMA = vol.Schema(
    {
        vol.Required(ATTR_DEVICE_ID): cv.string,
        vol.Required("question"): cv.string,
        vol.Optional("answers", default=[]): vol.All([ANSWER], answers),
        vol.Optional("timeout", default=60): vol.All(vol.Coerce(float), vol.Range(min=1, max=600)),
    }
)


@dataclass(eq=False)
class Questions:
    """The questions of automations."""

    echos: Echos
    pending: list[Question] = field(default_factory=list)
    turns: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))
    learning: asyncio.Lock = field(default_factory=asyncio.Lock)  # held until a launch tells which Echo a player is
    is_closed: bool = False

    async def ask(self, call: ServiceCall) -> ServiceResponse:
        """Ask a question and return the answer, as assist_satellite.ask_question does."""
        text, expected = call.data["question"], call.data["answers"]
        device = dr.async_get(call.hass).async_get(call.data[ATTR_DEVICE_ID])
        if device is None:
            raise _error("no_device", device=call.data[ATTR_DEVICE_ID])
        echo = self.echos.of_device(device.id)
        async with self.turns[(echo and echo.player) or device.id]:
            echo = self.echos.of_device(device.id)  # The question before may have told.
            if learns := echo is None:
                await self.learning.acquire()
            player = echo.player if echo else device.id
            question = Question(Ssml(text) if is_ssml(text) else text, call.hass.loop.create_future(), player, echo)
            self.pending.append(question)
            try:
                async with asyncio.timeout(call.data["timeout"]):
                    await self._open(call, question, device.name_by_user or device.name or device.id)
                    sentence = await question.reply
            except TimeoutError:
                sentence = ""
            finally:  # also if the automation was stopped
                self.pending.remove(question)
                if learns and not question.is_asked:
                    self.learning.release()
                if question.echo and question.echo.open is question:
                    question.echo.end(wanted=False)
        if (echo := question.echo) is None or not sentence:
            return {"id": None, "sentence": "", "slots": {}, ATTR_DEVICE_ID: echo.device_id if echo else None}
        answer_id, slots = Matcher(echo.locale, expected).match(sentence)
        meaning = echo.sentences.meaning(sentence)
        if not answer_id and (not expected or any(answer["id"] == meaning for answer in expected)):
            answer_id = meaning
        return {"id": answer_id, "sentence": sentence, "slots": slots, ATTR_DEVICE_ID: echo.device_id}

    def asked_by(self, echo: Echo) -> Question | None:
        """Return the question that an Echo opened the skill for."""
        for question in self.pending:
            learns = question.echo is None and not self._kinds(question.player) & self._kinds(echo.player)
            if question.is_asked or not (learns or question.echo is echo):
                continue
            question.is_asked, question.echo = True, echo
            if learns:
                echo.player = question.player if echo.key else None
                self.echos.store()
                self.learning.release()
            return question
        return None

    def _kinds(self, player: str | None) -> set[str]:
        """Return the integrations of a player: an Echo may be a device of both."""
        device = dr.async_get(self.echos.hass).async_get(player or "")
        return {domain for domain, _ in device.identifiers} if device else set()

    def close(self) -> None:
        """End every question."""
        self.is_closed = True
        for question in self.pending:
            if not question.reply.done():
                question.reply.set_exception(_error("reloaded"))

    async def _open(self, call: ServiceCall, question: Question, name: str) -> None:
        """Let the Echo ask: at once where somebody waits for its answer, else when it opens the skill."""
        if self.is_closed:
            raise _error("reloaded")
        echo, entry, hass = question.echo, self.echos.entry, call.hass
        if echo and echo.interrupt(question):
            question.is_asked = True
            return
        device = dr.async_get(hass).async_get(question.player or "")
        if device is None:
            raise _error("no_player", name=name)
        sentences = (echo or self.echos.hear(None, None, None)).sentences
        words = sentences["open_skill"].format(name=entry.options.get(CONF_INVOCATION, DEFAULT_INVOCATION))
        if "alexa_devices" in self._kinds(device.id):
            domain, action = "alexa_devices", "send_text_command"
            data = {ATTR_DEVICE_ID: device.id, "text_command": words}
        else:
            domain, action = "media_player", "play_media"
            entities = er.async_entries_for_device(er.async_get(hass), device.id)
            media = [one.entity_id for one in entities if (one.domain, one.platform) == (domain, "alexa_media")]
            if not media:
                raise _error("no_media_player", name=name)
            skill = next((each.skill for each in (echo, *self.echos.by_key.values()) if each and each.skill), None)
            kind, content = ("skill", skill) if skill else ("custom", words)
            data = {ATTR_ENTITY_ID: media[0], "media_content_type": kind, "media_content_id": content}
        await hass.services.async_call(domain, action, data, blocking=True, context=call.context)


def _error(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)
