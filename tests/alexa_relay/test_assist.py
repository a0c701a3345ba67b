"""What is said to Assist, and how an Echo tells the answer."""

import asyncio
from types import SimpleNamespace
from typing import Any

from homeassistant.helpers.intent import IntentResponseErrorCode
import pytest

from .conftest import GREETING, SSML, Alexa

NO_ANSWER = "I got no answer."
REFUSALS = {"No": "OK.", "Stop": "Goodbye.", "Cancel": "OK, cancelled.", "NavigateHome": "Goodbye."}
WAIT = "I am still thinking. Would you like to wait?"
STORY = "Once upon a time."


@pytest.fixture
def story(home, set_seconds) -> Any:
    """Let the agent think of a story until it is free."""
    set_seconds("PATIENCE", 0.3)
    free = asyncio.Event()

    async def tell() -> str:
        await free.wait()
        return STORY

    heard = home.agent(lambda heard, response: tell() if heard.text == "story" else "Which room?")
    return SimpleNamespace(free=free, heard=heard)


async def test_assist_knows_echo_language_and_user(home, alexa, hass_admin_user) -> None:
    heard = home.agent(lambda heard, response: "Ja.")
    alexa.locale = "de-DE"
    await alexa.say("hallo")
    assert (heard[0].text, heard[0].language, heard[0].device_id) == ("hallo", "de-DE", home.device().id)
    assert heard[0].context.user_id == hass_admin_user.id


async def test_conversation_belongs_to_echo_and_user(
    home, alexa, bedroom, hass_client, hass_read_only_access_token
) -> None:
    heard = home.agent(lambda heard, response: "Yes.")
    somebody_else = Alexa(await hass_client(hass_read_only_access_token))
    for echo in (alexa, bedroom, somebody_else, alexa):
        await echo.say("hello")
    assert [each.conversation_id for each in heard] == [None, None, None, "conversation 1"]


@pytest.mark.parametrize(
    ("answer", "speech", "reprompt"),
    [
        (lambda response: "Done. **Which room?**", "Done. Which room?", "Which room?"),
        (lambda response: "Done.", "Done.", None),
        (lambda response: "Done …", "Done …", GREETING),  # The agent continues the conversation.
        (lambda response: response.async_set_speech(SSML, "ssml"), SSML, "Now or ?"),
        (lambda response: response.async_set_reprompt("Well?"), "OK.", "Well?"),
        (lambda response: None, "OK.", None),
        (lambda response: " ", "OK.", None),
        (lambda response: response.async_set_error(IntentResponseErrorCode.UNKNOWN, ""), NO_ANSWER, None),
        (lambda response: 1 / 0, NO_ANSWER, None),
    ],
)
async def test_answer_keeps_the_session_open_or_ends_it(home, alexa, answer: Any, speech: str, reprompt: str) -> None:
    home.agent(lambda heard, response: answer(response))
    assert await alexa.say("hello") == (speech, reprompt)


async def test_card_has_the_answer_as_it_was_written(home, alexa) -> None:
    home.agent(lambda heard, response: "**On**, [see](https://example.org).")
    assert await alexa.say("hello") == ("On, see.", None)
    assert alexa.response["card"]["content"] == "**On**, [see](https://example.org)."


async def test_card_alone(home, alexa) -> None:
    home.agent(lambda heard, response: response.async_set_card("Title", "Content"))
    assert await alexa.say("hello") == ("OK.", None)
    assert alexa.response["card"] == {"type": "Simple", "title": "Title", "content": "Content"}


@pytest.mark.parametrize("code", ["no_intent_match", "no_valid_targets"])
async def test_not_understood_is_rewritten(home, alexa, code: str) -> None:
    """What the built-in agent did not understand is tried once more without a connecting word."""

    def answer(heard: Any, response: Any) -> str | None:
        if heard.text == "dance":
            return "Done."
        error = "failed_to_handle" if heard.text == "fly" else code
        response.async_set_error(IntentResponseErrorCode(error), f"Pardon, {heard.text}?")
        return None

    heard = home.agent(answer)
    answers = {"sing": "Pardon, sing?", "please sing": "Pardon, please sing?", "please fly": "Pardon, fly?"}
    for said, speech in ({"Please dance": "Done."} | answers).items():
        assert (await alexa.say(said))[0] == speech
    assert ", ".join(each.text for each in heard) == "Please dance, dance, sing, please sing, sing, please fly, fly"


@pytest.mark.parametrize("sentence", ["yes", "yes please", "sure", "okay", "I'll wait"])
async def test_late_answer(alexa, story, sentence: str) -> None:
    assert await alexa.say("story") == (WAIT, WAIT)
    story.free.set()
    assert await alexa.say(sentence) == (STORY, None)
    assert len(story.heard) == 1


async def test_late_answer_at_the_next_launch(alexa, bedroom, story) -> None:
    """It is told by the Echo that was asked, once."""
    await alexa.say("story")
    assert await alexa.end() == (None, None)
    story.free.set()
    assert (await bedroom.launch())[0] == GREETING
    assert await alexa.launch() == (f"{STORY} {GREETING}", GREETING)
    assert (await alexa.launch())[0] == GREETING


@pytest.mark.parametrize(("reason", "seconds"), [("USER_INITIATED", 600), ("EXCEEDED_MAX_REPROMPTS", 0)])
async def test_late_answer_is_not_told(alexa, story, set_seconds, reason: str, seconds: float) -> None:
    """After "exit", or too late."""
    set_seconds("KEEP", seconds)
    await alexa.say("story")
    await alexa.end(reason)
    story.free.set()
    assert (await alexa.launch())[0] == GREETING


@pytest.mark.parametrize(("name", "speech"), REFUSALS.items())
async def test_unwanted_answer(alexa, story, name: str, speech: str) -> None:
    await alexa.say("story")
    assert await alexa.built_in(name) == (speech, None)
    story.free.set()
    assert (await alexa.launch())[0] == GREETING


async def test_another_sentence_leaves_the_late_answer(alexa, story) -> None:
    await alexa.say("hello")
    await alexa.say("story")
    assert (await alexa.say("light"))[0] == "Which room?"
    story.free.set()
    assert (await alexa.launch())[0] == f"{STORY} {GREETING}"
    # A conversation answers one sentence at a time.
    assert [each.conversation_id for each in story.heard] == [None, "conversation 1", None]


@pytest.mark.parametrize(("sentence", "is_open"), [(None, GREETING), ("light", "Which room?"), ("story", WAIT)])
async def test_help_and_misunderstanding_repeat_what_is_open(alexa, story, sentence: str | None, is_open: str) -> None:
    await (alexa.say(sentence) if sentence else alexa.launch())
    assert await alexa.built_in("Fallback") == (f"I did not understand that. {is_open}", is_open)
    speech, reprompt = await alexa.built_in("Help")
    assert (speech[:8], speech[-len(is_open) :], reprompt) == ("Say what", is_open, is_open)


async def test_hung_up_request_goes_on(alexa, story) -> None:
    """Alexa hangs up while Assist thinks: the wish is fulfilled, and the answer told at the next launch."""
    request = asyncio.create_task(alexa.say("story"))
    while not story.heard:
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.sleep(0.05)
    story.free.set()
    assert (await alexa.launch())[0] == f"{STORY} {GREETING}"
