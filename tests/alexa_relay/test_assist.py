"""What is said to Assist, and how an Echo tells the answer."""

import asyncio
from typing import Any

from homeassistant.components.homeassistant.exposed_entities import async_expose_entity
from homeassistant.helpers import area_registry as ar, device_registry as dr, entity_registry as er, intent
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.alexa_relay import echo as echo_module

from .conftest import GREETING, device_of, said

NO_ANSWER = "I got no answer."
SSML = "<speak>Hm<break/>yes?</speak>"
WAIT = "I am still thinking. Would you like to wait?"
STORY = "Once upon a time."


@pytest.fixture
def story(agent) -> Any:
    """What sets a story free, on which the agent thinks until then, and what the agent heard."""
    free = asyncio.Event()

    async def tell() -> str:
        await free.wait()
        return STORY

    heard = agent(lambda heard, response: tell() if heard.text == "story" else "Which room?")
    return free, heard


async def test_answer_ends_the_session(alexa, agent) -> None:
    agent(lambda heard, response: "**On**, [see](https://example.org).")
    answer = await alexa.say("turn on the light")
    assert said(answer) == ("On, see.", None)
    assert answer["shouldEndSession"]
    assert answer["card"]["content"] == "**On**, [see](https://example.org)."


async def test_assist_knows_echo_language_and_user(alexa, agent, hass, entry, hass_admin_user) -> None:
    heard = agent(lambda heard, response: "Ja.")
    alexa.locale = "de-DE"
    await alexa.say("hallo")
    assert heard[0].device_id == device_of(hass, entry).id
    assert heard[0].language == "de-DE"
    assert heard[0].context.user_id == hass_admin_user.id


@pytest.mark.parametrize(
    ("answer", "reprompt"),
    [
        ("Done. Which room?", "Which room?"),
        ("**Sure (yes/no)?**", "Sure (yes/no)?"),
        ("電気をつけますか。", "電気をつけますか。"),
        ("Done.", None),
    ],
)
async def test_question_keeps_the_session_open(alexa, agent, answer: str, reprompt: str | None) -> None:
    agent(lambda heard, response: answer)
    assert said(await alexa.say("hello"))[1] == reprompt


def fail() -> None:
    raise ValueError("broken")


@pytest.mark.parametrize(
    ("act", "speech", "reprompt"),
    [
        (lambda response: response.async_set_speech(SSML, "ssml"), SSML, "Hmyes?"),
        (lambda response: response.async_set_reprompt("Well?"), "OK.", "Well?"),
        (lambda response: None, "OK.", None),
        (lambda response: response.async_set_speech(" "), "OK.", None),
        (lambda response: response.async_set_error(intent.IntentResponseErrorCode.UNKNOWN, ""), NO_ANSWER, None),
        (lambda response: fail(), NO_ANSWER, None),
    ],
)
async def test_other_ways_to_answer(alexa, agent, act: Any, speech: str, reprompt: str | None) -> None:
    """SSML, a reprompt, nothing at all, failures."""
    agent(lambda heard, response: act(response))
    assert said(await alexa.say("hello")) == (speech, reprompt)


async def test_card_alone(alexa, agent) -> None:
    agent(lambda heard, response: response.async_set_card("Title", "Content"))
    answer = await alexa.say("hello")
    assert said(answer) == ("OK.", None)
    assert answer["card"] == {"type": "Simple", "title": "Title", "content": "Content"}


async def test_conversation_belongs_to_echo_and_user(echo_at, agent) -> None:
    heard = agent(lambda heard, response: "Yes.")
    for echo in (echo_at("kitchen"), echo_at("bedroom"), echo_at("kitchen")):
        await echo.say("hello")
    assert [each.conversation_id for each in heard] == [None, None, "conversation 1"]


async def test_not_understood_is_rewritten(alexa, agent, entry, monkeypatch) -> None:
    """What the built-in agent did not understand is tried once more without a connecting word."""

    def answer(heard: Any, response: Any) -> str | None:
        if heard.text == "allume":
            return "Voilà."
        code = "no_valid_targets" if heard.text[0] == "d" else "no_intent_match"
        response.async_set_error(intent.IntentResponseErrorCode(code), f"Pardon, {heard.text} ?")
        return None

    heard = agent(answer)
    languages = entry.runtime_data.echos.languages
    monkeypatch.setitem(languages["en"], "rewrites", [{"pattern": "^d'", "replacement": ""}])
    assert said(await alexa.say("D'allume"))[0] == "Voilà."
    assert said(await alexa.say("danse"))[0] == "Pardon, danse ?"
    assert said(await alexa.say("d'ouvre"))[0] == "Pardon, d'ouvre ?"
    assert [each.text for each in heard] == ["D'allume", "allume", "danse", "d'ouvre", "ouvre"]


@pytest.mark.parametrize("sentence", ["yes", "yes please", "sure", "okay", "I'll wait"])
async def test_late_answer(alexa, story, sentence: str) -> None:
    free, heard = story
    assert said(await alexa.say("story")) == (WAIT, WAIT)
    free.set()
    assert said(await alexa.say(sentence)) == (STORY, None)
    assert len(heard) == 1


async def test_late_answer_at_the_next_launch(alexa, echo_at, story, monkeypatch) -> None:
    """It is told by the Echo that was asked, once, within ten minutes."""
    free, _ = story
    await alexa.say("story")
    await alexa.end()
    free.set()
    assert said(await echo_at("bedroom").launch()) == (GREETING, GREETING)
    assert said(await alexa.launch()) == (f"{STORY} {GREETING}", GREETING)
    assert said(await alexa.launch()) == (GREETING, GREETING)
    free.clear()
    await alexa.say("story")
    await alexa.end()
    monkeypatch.setattr(echo_module, "KEEP", 0)
    assert said(await alexa.launch()) == (GREETING, GREETING)


@pytest.mark.parametrize("unwanted", ["no", "no thanks", "stop", "exit"])
async def test_unwanted_answer(alexa, story, unwanted: str) -> None:
    free, _ = story
    await alexa.say("story")
    if unwanted == "exit":
        await alexa.end("USER_INITIATED")
    elif unwanted == "stop":
        assert said(await alexa.intent("AMAZON.StopIntent")) == ("Goodbye.", None)
    else:
        assert said(await (alexa.no() if unwanted == "no" else alexa.say(unwanted))) == ("OK.", None)
    free.set()
    assert said(await alexa.launch()) == (GREETING, GREETING)


async def test_another_sentence_leaves_the_late_answer(alexa, story) -> None:
    """The next sentence is answered; the launch after it tells the story."""
    free, heard = story
    await alexa.say("hello")
    await alexa.say("story")
    assert said(await alexa.say("light"))[0] == "Which room?"
    free.set()
    assert said(await alexa.launch())[0] == f"{STORY} {GREETING}"
    # A conversation answers one sentence at a time.
    assert [each.conversation_id for each in heard] == [None, "conversation 1", None]


async def test_help_and_misunderstanding_repeat_what_is_open(alexa, story) -> None:
    for open_question, sentence in ((GREETING, None), ("Which room?", "light"), (WAIT, "story")):
        await (alexa.say(sentence) if sentence else alexa.launch())
        for name, begin in (("Help", "Say what"), ("Fallback", "I did not understand that.")):
            text, reprompt = said(await alexa.intent(f"AMAZON.{name}Intent"))
            assert text.startswith(begin)
            assert text.endswith(open_question)
            assert reprompt == open_question
    assert said(await alexa.yes())[0] == WAIT


async def test_hung_up_request_goes_on(alexa, story) -> None:
    """Alexa hangs up while Assist thinks: the wish is fulfilled, and the answer told at the next launch."""
    free, heard = story
    request = asyncio.create_task(alexa.say("story"))
    while not heard:
        await asyncio.sleep(0)
    request.cancel()
    await asyncio.sleep(0.05)
    free.set()
    assert said(await alexa.launch())[0] == f"{STORY} {GREETING}"


@pytest.mark.parametrize(("locale", "sentence"), [("en-GB", "turn on the lights"), ("de-DE", "schalte das Licht ein")])
async def test_the_room_is_the_echos(alexa, hass, entry, monkeypatch, locale: str, sentence: str) -> None:
    """Assist's own agent turns on the lights of the room that the Echo is in."""
    monkeypatch.setattr(echo_module, "PATIENCE", 10)
    turned_on = async_mock_service(hass, "light", "turn_on")
    alexa.locale = locale
    await alexa.launch()
    for room, device in (("Kitchen", device_of(hass, entry)), ("Hall", None)):
        area = ar.async_get(hass).async_create(room)
        if device:
            dr.async_get(hass).async_update_device(device.id, area_id=area.id)
        light = er.async_get(hass).async_get_or_create("light", "test", room, suggested_object_id=room)
        er.async_get(hass).async_update_entity(light.entity_id, area_id=area.id)
        hass.states.async_set(light.entity_id, "off")
        async_expose_entity(hass, "conversation", light.entity_id, True)
    await alexa.say(sentence)
    assert [call.data["entity_id"] for call in turned_on] == [["light.kitchen"]]
