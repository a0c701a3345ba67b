"""The action ask_question: opens the skill on an Echo, and waits for the answer there."""

import asyncio
from contextlib import suppress
from typing import Any

from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, ServiceCall, ServiceResponse
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, device_registry as dr, entity_registry as er
import voluptuous as vol

from .const import CONF_INVOCATION, DOMAIN
from .echo import Echo, Question
from .echos import Echos
from .sentences import match
from .speech import Ssml, is_ssml


def answers(value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Refuse answers that hassil cannot read."""
    try:
        for sentence in [sentence for answer in value for sentence in answer["sentences"]]:
            match(sentence, [{"id": None, "sentences": [sentence]}], "")
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


async def ask(call: ServiceCall) -> ServiceResponse:
    """Ask a question and return the answer, as assist_satellite.ask_question does."""
    entries = call.hass.config_entries.async_loaded_entries(DOMAIN)
    if not entries:
        raise _error("not_loaded")
    echos: Echos = entries[0].runtime_data
    device_id, text = call.data[ATTR_DEVICE_ID], call.data["question"]
    echo = echos.of_device(device_id)
    question = Question(Ssml(text) if is_ssml(text) else text, (echo and echo.player) or device_id)
    earlier, sentence = [*echos.questions], ""
    echos.questions.append(question)
    try:
        for other in earlier:
            if other.player == question.player:  # in turn
                await asyncio.wait([other.reply])
            elif not (echos.of_device(question.player) or echos.of_device(other.player)):
                await asyncio.wait([other.asked])  # The launch that follows shows which Echo that player is.
        with suppress(TimeoutError):
            async with asyncio.timeout(call.data["timeout"]):
                if not (question.asked.done() or question.reply.done()):  # A launch was sooner, or a reload.
                    await _open(call, echos, question)
                sentence = await question.reply
    finally:  # also if the automation was stopped
        echos.questions.remove(question)
        echo = question.asked.result() if question.asked.done() else None
        question.asked.cancel()
        question.reply.cancel()
        if echo and echo.open is question:
            echo.end(wanted=False)
    if not echo or not sentence:
        return {"id": None, "sentence": "", "slots": {}, ATTR_DEVICE_ID: echo.device_id if echo else None}
    answer_id, slots = match(sentence, call.data["answers"], echo.sentences["language"])
    ids, meaning = [answer["id"] for answer in call.data["answers"]], echo.sentences.meaning(sentence)
    if answer_id is None and (meaning in ids or not ids):
        answer_id = meaning
    return {"id": answer_id, "sentence": sentence, "slots": slots, ATTR_DEVICE_ID: echo.device_id}


def asked_by(echos: Echos, echo: Echo) -> Question | None:
    """Return the question that an Echo opened the skill for, or that is open there."""
    if isinstance(echo.open, Question):
        return echo.open
    for question in echos.questions:
        known = echos.of_device(question.player)
        learns = not known and not _kinds(echos.hass, question.player) & _kinds(echos.hass, echo.player)
        if not question.asked.done() and (learns or known is echo):
            question.asked.set_result(echo)
            if learns and echo.key:
                echo.player = question.player
                echos.store()
            return question
    return None


def close(echos: Echos) -> None:
    """End every question."""
    for question in echos.questions:
        if not question.reply.done():
            question.reply.set_exception(_error("reloaded"))


def _kinds(hass: HomeAssistant, player: str | None) -> set[str]:
    """Return the integrations of a player: an Echo may be a device of both."""
    device = dr.async_get(hass).async_get(player or "")
    return {domain for domain, _ in device.identifiers} if device else set()


async def _open(call: ServiceCall, echos: Echos, question: Question) -> None:
    """Let the Echo ask: at once where somebody waits for its answer, else when it opens the skill."""
    hass, player, echo = call.hass, question.player, echos.of_device(question.player)
    if echo and echo.waiting and not echo.waiting.done():
        echo.waiting.set_result(question)
        question.asked.set_result(echo)
        return
    # The sentences of an Echo that is not known yet are those of Home Assistant's language.
    sentences = (echo or echos.hear(None, None, None)).sentences
    words = sentences["open_skill"].format(name=echos.entry.options.get(CONF_INVOCATION) or sentences["invocation"])
    entities = er.async_entries_for_device(er.async_get(hass), player)
    media = [one.entity_id for one in entities if (one.domain, one.platform) == ("media_player", "alexa_media")]
    if media:
        skill = next((each.skill for each in (echo, *echos.by_key.values()) if each and each.skill), None)
        data = {ATTR_ENTITY_ID: media[0], "media_content_type": "skill" if skill else "custom"}
        action = ("media_player", "play_media", {**data, "media_content_id": skill or words})
    elif "alexa_devices" in _kinds(hass, player):
        action = ("alexa_devices", "send_text_command", {ATTR_DEVICE_ID: player, "text_command": words})
    else:
        device = dr.async_get(hass).async_get(player)
        raise _error("no_player", name=(device and (device.name_by_user or device.name)) or player)
    await hass.services.async_call(*action, blocking=True, context=call.context)


def _error(key: str, **placeholders: str) -> ServiceValidationError:
    return ServiceValidationError(translation_domain=DOMAIN, translation_key=key, translation_placeholders=placeholders)
