"""What one Echo is in the middle of, and what it says next: no word of Alexa's protocol, and none of a language."""

import asyncio
from dataclasses import dataclass, field
import logging
import time

from homeassistant.components.conversation import ConversationResult, async_converse
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.intent import IntentResponseErrorCode, IntentResponseType

from .const import CONF_AGENT_ID, DOMAIN
from .sentences import Sentences
from .speech import MAX_SPEECH, Ssml, join, question, shorten, spoken, written

LOGGER = logging.getLogger(__package__)
PATIENCE = 6  # seconds: Alexa waits 8 for an answer, and the relay 7
KEEP = 600  # seconds in which a late answer is told
NOT_UNDERSTOOD = (IntentResponseErrorCode.NO_INTENT_MATCH, IntentResponseErrorCode.NO_VALID_TARGETS)


type Wish = asyncio.Task[Answer]  # a sentence that Assist is to answer


@dataclass(frozen=True)
class Answer:
    """What an Echo says; with a reprompt, it then listens."""

    speech: str
    reprompt: str | None = None
    card: dict[str, str] | None = None


@dataclass(eq=False)
class Question:
    """A question of an automation's."""

    text: str
    player: str  # the device that opens the skill, or else the Echo's own
    asked: "asyncio.Future[Echo]" = field(default_factory=asyncio.Future)
    reply: asyncio.Future[str] = field(default_factory=asyncio.Future)  # "" for silence
    during: Wish | None = None  # the wish whose automation asks

    def answer(self, sentence: str) -> None:
        """Reply to the automation, which may be gone."""
        if not self.reply.done():
            self.reply.set_result(sentence)


@dataclass(eq=False)
class Echo:
    """An Echo; its key is "" where Alexa does not say which one it is."""

    hass: HomeAssistant
    entry: ConfigEntry
    languages: dict[str, Sentences]
    key: str
    locale: str
    skill: str | None = None  # the id of the skill that was opened here last
    player: str | None = None  # the device that opens the skill here
    device_id: str | None = None
    open: Question | Wish | str | None = None  # what the next "yes" belongs to
    late: dict[Wish, float] = field(default_factory=dict)  # not told yet, with the time when they were said
    waiting: asyncio.Future[Question] | None = None  # pending while somebody waits for an answer
    heard: tuple[str, dict[str, str | None]] | None = None  # the last request: the event's type and attributes
    conversations: dict[str | None, str | None] = field(default_factory=dict)  # by user: none goes on with another's

    @property
    def sentences(self) -> Sentences:
        """The sentences of this Echo's language, or else English."""
        return self.languages.get(self.locale.partition("-")[0], self.languages["en"])

    async def launch(self, asked: Question | None) -> Answer:
        """Begin with an automation's question, or else with a late answer."""
        self.open = asked
        if asked or not (recent := self._recent()):
            return self.repeat()
        return await self._wait(max(recent, key=asyncio.Task.done), then=self.sentences["greeting"])

    async def say(self, text: str, user: str | None) -> Answer:
        """Answer a sentence."""
        was_open, self.open = self.open, None
        if isinstance(was_open, Question):
            was_open.answer(text)
            return await self._wait(was_open.during) if was_open.during else Answer(self.sentences["ok"])
        if isinstance(was_open, asyncio.Task) and (meaning := self.sentences.meaning(text)):
            if meaning == "yes":
                return await self._wait(was_open)
            self.late.pop(was_open, None)
            return Answer(self.sentences["ok"])
        # Not in the request's own task, since Alexa may hang up; not eager, since the agent may ask back at once.
        thinking = self._think(text, user)
        wish = self.entry.async_create_background_task(self.hass, thinking, DOMAIN, eager_start=False)
        self.late = {**self._recent(), wish: time.monotonic()}
        return await self._wait(wish)

    def repeat(self, *before: str) -> Answer:
        """Say something, and repeat what is open."""
        text = self.open.text if isinstance(self.open, Question) else self.open
        if not isinstance(text, str):
            text = self.sentences["still_thinking" if text else "greeting"]
        return Answer(join(*before, text), text)

    def aside(self, text: str) -> Answer:
        """Say something while an automation's question stays open."""
        return self.repeat(text) if isinstance(self.open, Question) else Answer(text)

    def end(self, *, wanted: bool) -> None:
        """End the session, with the late answer that was just asked about still wanted or not."""
        was_open, self.open = self.open, None
        if isinstance(was_open, Question):
            was_open.answer("")
            was_open, wanted = was_open.during, False
        if isinstance(was_open, asyncio.Task) and not wanted:
            self.late.pop(was_open, None)

    def _recent(self) -> dict[Wish, float]:
        return {wish: said_at for wish, said_at in self.late.items() if time.monotonic() - said_at < KEEP}

    async def _wait(self, wish: Wish, then: str | None = None) -> Answer:
        """Return the answer to a wish, a question of its automation's, or the question whether to wait."""
        asked = self.waiting = self.hass.loop.create_future()
        try:
            await asyncio.wait([wish, asked], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if not asked.cancelled():
            self.open = by_automation = asked.result()
            by_automation.during = wish
            return self.repeat()
        if not wish.done():
            self.open = wish
            return self.repeat()
        self.late.pop(wish, None)
        answer = Answer(self.sentences["no_answer"]) if wish.cancelled() else wish.result()
        self.open = answer.reprompt or then
        if answer.reprompt or not then:
            return answer
        return Answer(join(answer.speech, then), then, answer.card)

    async def _think(self, text: str, user: str | None) -> Answer:
        """Let Assist answer, however long that takes; what it does not understand, it hears in other words, too."""
        sentences, answers = self.sentences, []
        try:
            for words in dict.fromkeys([text, sentences.rewrite(text)]):
                # Nobody else may go on with a conversation while it is busy.
                conversation, agent = self.conversations.pop(user, None), self.entry.options.get(CONF_AGENT_ID)
                result = await async_converse(
                    self.hass, words, conversation, Context(user), self.locale, agent_id=agent, device_id=self.device_id
                )
                self.conversations[user] = result.conversation_id
                answers.append(_read(result, sentences))
                if result.response.error_code not in NOT_UNDERSTOOD:
                    return answers[-1]
            return answers[0]
        except Exception:
            LOGGER.exception("The conversation agent failed")
            return Answer(sentences["no_answer"])


def _read(result: ConversationResult, sentences: Sentences) -> Answer:
    """Return what an agent means."""
    response = result.response
    plain, ssml = ((response.speech.get(kind) or {}).get("speech") or "" for kind in ("plain", "ssml"))
    asked, asked_ssml = ((response.reprompt.get(kind) or {}).get("reprompt") or "" for kind in ("plain", "ssml"))
    failed = response.response_type is IntentResponseType.ERROR
    speech = spoken(plain) or Ssml(ssml) or sentences["no_answer" if failed else "ok"]
    reprompt = asked or Ssml(asked_ssml) or question(speech) or (result.continue_conversation and sentences["greeting"])
    card = response.card.get("simple")
    if not (card and card["content"]):
        card = {"title": "Home Assistant", "content": shorten(written(plain), MAX_SPEECH - 20)}  # with the title
    return Answer(speech, reprompt or None, card if card["content"] else None)
