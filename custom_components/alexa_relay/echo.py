"""What one Echo is in the middle of, and what it says next: no word of Alexa's protocol, and none of a language."""

import asyncio
from dataclasses import dataclass, field
import logging
import re
import time

from homeassistant.components.conversation import ConversationResult, async_converse
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.intent import IntentResponseErrorCode, IntentResponseType

from .const import CONF_AGENT_ID, DOMAIN
from .sentences import Sentences
from .speech import MAX_SPEECH, question, shorten, spoken, written

LOGGER = logging.getLogger(__package__)
PATIENCE = 6  # seconds: Alexa waits 8 for an answer, and the relay 7
KEEP = 600  # seconds in which a late answer is told
NOT_UNDERSTOOD = (IntentResponseErrorCode.NO_INTENT_MATCH, IntentResponseErrorCode.NO_VALID_TARGETS)


class Ssml(str):
    """Speech with tags."""

    __slots__ = ()


@dataclass(frozen=True)
class Answer:
    """What an Echo says; with a reprompt, it then listens."""

    speech: tuple[str, ...]
    reprompt: str | None = None
    card: dict[str, str] | None = None


@dataclass(eq=False)
class Wish:
    """A sentence that Assist is to answer."""

    task: asyncio.Task[Answer]
    said_at: float = field(default_factory=time.monotonic)
    asked: "asyncio.Future[Question] | None" = None  # pending while somebody waits for the answer


@dataclass(eq=False)
class Question:
    """A question of an automation's; its reply is a sentence, "" for silence."""

    text: str
    reply: asyncio.Future[str]
    player: str | None  # the device that opens the skill
    echo: "Echo | None"  # None: not known yet
    during: Wish | None = None  # the wish whose automation asks
    is_asked: bool = False

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
    late: list[Wish] = field(default_factory=list)  # not told yet
    heard: tuple[str, dict[str, str | None]] | None = None  # the last request: the event's type and attributes
    conversations: dict[str | None, str | None] = field(default_factory=dict)  # by user: none goes on with another's

    @property
    def sentences(self) -> Sentences:
        """The sentences of this Echo's language, or else English."""
        return self.languages.get(self.locale.partition("-")[0], self.languages["en"])

    async def launch(self, asked: Question | None) -> Answer:
        """Begin with an automation's question, or else with a late answer."""
        if asked or not isinstance(self.open, Question):
            self.open = asked
        if self.open or not (recent := self._recent()):
            return self.repeat()
        answered = (wish for wish in recent if wish.task.done())
        return await self._wait(next(answered, recent[-1]), then=self.sentences["greeting"])

    async def say(self, text: str, user: str | None) -> Answer:
        """Answer a sentence."""
        was_open, self.open = self.open, None
        if isinstance(was_open, Question):
            was_open.answer(text)
            return await self._wait(was_open.during) if was_open.during else Answer((self.sentences["ok"],))
        if isinstance(was_open, Wish) and (meaning := self.sentences.meaning(text)):
            if meaning == "yes":
                return await self._wait(was_open)
            self._forget(was_open)
            return Answer((self.sentences["ok"],))
        # Not in the request's own task, since Alexa may hang up; not eager, since the agent may ask back at once.
        thinking = self._think(text, user)
        task = self.entry.async_create_background_task(self.hass, thinking, DOMAIN, eager_start=False)
        self.late = [*self._recent(), Wish(task)]
        return await self._wait(self.late[-1])

    def repeat(self, *before: str) -> Answer:
        """Say something, and repeat what is open."""
        text = self.open.text if isinstance(self.open, Question) else self.open
        if not isinstance(text, str):
            text = self.sentences["still_thinking" if text else "greeting"]
        return Answer((*before, text), text)

    def aside(self, text: str) -> Answer:
        """Say something while an automation's question stays open."""
        return self.repeat(text) if isinstance(self.open, Question) else Answer((text,))

    def end(self, *, wanted: bool) -> None:
        """End the session, with the late answer that was just asked about still wanted or not."""
        if isinstance(self.open, Question):
            self.open.answer("")
            self._forget(self.open.during)
        elif not wanted:
            self._forget(self.open)
        self.open = None

    def interrupt(self, asked: Question) -> bool:
        """Ask in place of an answer that somebody waits for at this moment; False if nobody does."""
        for wish in self.late:
            if wish.asked and not wish.asked.done():
                asked.during = wish
                wish.asked.set_result(asked)
                return True
        return False

    def _recent(self) -> list[Wish]:
        return [wish for wish in self.late if time.monotonic() - wish.said_at < KEEP]

    def _forget(self, wish: object) -> None:
        self.late = [other for other in self.late if other is not wish]

    async def _wait(self, wish: Wish, then: str | None = None) -> Answer:
        """Return the answer to a wish, a question of its automation's, or the question whether to wait."""
        asked = wish.asked = self.hass.loop.create_future()
        try:
            await asyncio.wait([wish.task, asked], timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if not asked.cancelled() or not wish.task.done():
            self.open = wish if asked.cancelled() else asked.result()
            return self.repeat()
        self._forget(wish)
        answer = Answer((self.sentences["no_answer"],)) if wish.task.cancelled() else wish.task.result()
        self.open = answer.reprompt or then
        if answer.reprompt or not then:
            return answer
        (speech,) = answer.speech
        if not isinstance(speech, Ssml):
            speech = shorten(speech, MAX_SPEECH - len(then) - 1)
        return Answer((speech, then), then, answer.card)

    async def _think(self, text: str, user: str | None) -> Answer:
        """Let Assist answer, however long that takes."""
        sentences = self.sentences
        try:
            result = await self._converse(text, user)
            if result.response.error_code in NOT_UNDERSTOOD and (rewritten := sentences.rewrite(text)) != text:
                second = await self._converse(rewritten, user)
                result = result if second.response.error_code else second
            return _read(result, sentences)
        except Exception:
            LOGGER.exception("The conversation agent failed")
            return Answer((sentences["no_answer"],))

    async def _converse(self, text: str, user: str | None) -> ConversationResult:
        # Nobody else may go on with a conversation while it is busy.
        conversation, agent = self.conversations.pop(user, None), self.entry.options.get(CONF_AGENT_ID)
        result = await async_converse(
            self.hass, text, conversation, Context(user), self.locale, agent_id=agent, device_id=self.device_id
        )
        self.conversations[user] = result.conversation_id
        return result


def _read(result: ConversationResult, sentences: Sentences) -> Answer:
    """Return what an agent means."""
    response = result.response
    said = {kind: speech["speech"] or "" for kind, speech in response.speech.items()}
    asked = {kind: reprompt["reprompt"] or "" for kind, reprompt in response.reprompt.items()}
    failed = response.response_type is IntentResponseType.ERROR
    plain = said.get("plain", "")
    speech = spoken(plain) or Ssml(said.get("ssml", "")) or sentences["no_answer" if failed else "ok"]
    reprompt = asked.get("plain") or Ssml(asked.get("ssml", ""))
    reprompt = reprompt or question(re.sub(r"<[^<>]+>", "", speech) if isinstance(speech, Ssml) else speech)
    if result.continue_conversation:
        reprompt = reprompt or sentences["greeting"]
    card = response.card.get("simple")
    if not (card and card["content"]):
        card = {"title": "Home Assistant", "content": shorten(written(plain), MAX_SPEECH - 20)}  # with the title
    return Answer((speech,), reprompt or None, card if card["content"] else None)
