"""Home Assistant asks first: alexa_relay.ask_question."""

import asyncio
from pathlib import Path
from typing import Any

from homeassistant.exceptions import ServiceValidationError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import async_capture_events, async_mock_service
import voluptuous as vol

from .conftest import GREETING, SKILL, SSML, Alexa

OPENINGS = {"alexa_media": ["skill", SKILL], "alexa_devices": ["abre asistente doméstico"]}
SPEECHES = {SSML: SSML, "R&B<break/>?": "<speak>R&amp;B<break/>?</speak>", "5 < 6 & 7?": "5 < 6 & 7?"}


async def test_question_and_answer(home, alexa) -> None:
    task = home.ask(home.player("kitchen"), "Shall I close it?")
    assert await home.opened.get() == ["media_player.kitchen", "custom", "open home assistant"]
    assert await alexa.launch() == ("Shall I close it?", "Shall I close it?")
    assert await alexa.built_in("Yes") == ("OK.", None)
    assert await task == {"id": "yes", "sentence": "yes", "slots": {}, "device_id": home.device().id}
    assert (await alexa.launch())[0] == GREETING


@pytest.mark.parametrize(("domain", "opening"), OPENINGS.items())
async def test_restart_keeps_what_was_learnt(home, alexa, domain: str, opening: list[str]) -> None:
    """From the first answer on, the Echo's own device will do; the skill and the Echo's language are known as well."""
    alexa.locale = "es-MX"
    task = await home.ask_at(alexa, home.player("kitchen", domain))
    await alexa.built_in("Yes")
    assert (await task)["id"] == "yes"
    await home.reload()
    home.ask(home.device().id)
    assert (await home.opened.get())[1:] == opening
    assert (await alexa.launch())[0] == "Shall I?"


async def test_echo_of_both_integrations_has_two_players(home, alexa) -> None:
    for device_id in (home.player("a"), home.player("b", "alexa_devices")) * 2:
        task = await home.ask_at(alexa, device_id)
        await alexa.built_in("Yes")
        await task


@pytest.mark.parametrize(
    ("locale", "sentence", "answer", "slots"),
    [
        ("en-US", "play some jazz please", "genre", {"genre": "jazz"}),
        ("en-US", "Nothing.", "nothing", {}),
        ("en-US", "yes", "yes", {}),
        ("en-US", "sure", "yes", {}),
        ("en-US", "no thanks", None, {}),
        ("en-US", "hm", None, {}),
        ("ja-JP", "あか にして", "light", {"color": "あか"}),  # Alexa sets blanks.
    ],
)
async def test_expected_answers(home, alexa, locale: str, sentence: str, answer: str | None, slots: Any) -> None:
    """As with assist_satellite.ask_question; "yes" and "no" also match answers with that id."""
    answers = [
        {"id": "genre", "sentences": ["[play] [some] {genre} please"]},
        {"id": "nothing", "sentences": "(nothing|never mind)"},
        {"id": "yes", "sentences": ["anything"]},
        {"id": "light", "sentences": ["{color} に して"]},
    ]
    alexa.locale = locale
    task = await home.ask_at(alexa, answers=answers)
    await alexa.say(sentence)
    reply = await task
    assert (reply["id"], reply["sentence"], reply["slots"]) == (answer, sentence, slots)


@pytest.mark.parametrize("end", [Alexa.end, lambda alexa: alexa.built_in("Stop"), lambda alexa: asyncio.sleep(1.5)])
async def test_no_answer(home, alexa, end: Any) -> None:
    """Silence, "stop", a timeout."""
    task = await home.ask_at(alexa, timeout=1)
    await end(alexa)
    assert task.done()
    assert (task.result()["id"], task.result()["sentence"]) == (None, "")
    assert (await alexa.launch())[0] == GREETING


async def test_many_questions(home, alexa, bedroom) -> None:
    """Two Echos ask at the same time, and each one in turn, without a question that is stopped before its turn."""
    kitchen = home.player("kitchen")
    questions = {"Kitchen?": kitchen, "Stopped?": kitchen, "And now?": kitchen, "Bedroom?": home.player("bedroom")}
    tasks = [home.ask(player, question) for question, player in questions.items()]
    tasks.pop(1).cancel()
    for echo, question in ((alexa, "Kitchen?"), (bedroom, "Bedroom?")):
        await home.opened.get()
        assert home.opened.empty()  # It is not known yet which Echo is which.
        assert (await echo.launch())[0] == question
    await bedroom.say("never")
    await alexa.say("later")
    await home.opened.get()
    assert (await alexa.launch())[0] == "And now?"
    await alexa.say("yes")
    assert [(await task)["sentence"] for task in tasks] == ["later", "yes", "never"]


@pytest.mark.parametrize("is_asked", [False, True])
async def test_stopped_automation_takes_its_question_with_it(home, alexa, is_asked: bool) -> None:
    home.agent(lambda heard, response: "Assist.")
    task = home.ask(home.player())
    await home.opened.get()
    if is_asked:
        await alexa.launch()
    task.cancel()
    await asyncio.sleep(0)
    assert (await alexa.built_in("Yes"))[0] == "Assist."
    assert (await alexa.launch())[0] == GREETING


@pytest.mark.parametrize("configuration", [{"intent_script": {"OwnIntent": {"speech": {"text": "Mine."}}}}])
async def test_question_stays_open(home, alexa, hass) -> None:
    """Help, a misunderstanding and a scene repeat it; an intent of one's own does not end it."""
    async_mock_service(hass, "scene", "turn_on")
    hass.states.async_set("scene.movie", "scening")
    task = await home.ask_at(alexa)
    assert (await alexa.built_in("Help"))[1] == "Shall I?"
    assert await alexa.built_in("Fallback") == ("I did not understand that. Shall I?", "Shall I?")
    assert await alexa.intent("ActivateSceneIntent", Scene="movie") == ("OK, movie. Shall I?", "Shall I?")
    assert await alexa.intent("OwnIntent") == ("Mine.", None)
    assert (await alexa.launch())[0] == "Shall I?"
    await alexa.built_in("Yes")
    assert (await task)["id"] == "yes"


@pytest.mark.parametrize(("question", "speech"), SPEECHES.items())
async def test_question_may_be_ssml(home, alexa, question: str, speech: str) -> None:
    home.ask(home.player(), question)
    await home.opened.get()
    assert await alexa.launch() == (speech, speech)
    is_ssml = "ssml" in alexa.response["outputSpeech"]
    assert is_ssml == speech.startswith("<speak>")
    assert (await alexa.built_in("Help"))[0].count("<speak>") == is_ssml


async def test_automation_asks_back_where_somebody_waits(home, alexa) -> None:
    async def ask_back(heard: Any, response: Any) -> str:
        return f"You said {(await home.ask(heard.device_id))['id']}."

    home.agent(ask_back)
    assert await alexa.say("good night") == ("Shall I?", "Shall I?")
    assert await alexa.built_in("Yes") == ("You said yes.", None)
    await alexa.say("good night")
    await alexa.end()
    assert (await alexa.launch())[0] == GREETING


async def test_wrong_calls(home, alexa) -> None:
    await alexa.launch()
    for device_id in (home.device().id, home.player("tv", "cast"), "nothing"):
        with pytest.raises(ServiceValidationError, match="does not know how to open the skill on"):
            await home.ask(device_id)
    for sentence in ("[never closed", "no <rule> of that name", "{}"):
        with pytest.raises(vol.Invalid):
            await home.ask(home.player(), answers=[{"id": "a", "sentences": [sentence]}])
    assert home.opened.empty()


async def test_reload_ends_questions(home, alexa) -> None:
    """Those that are asked, and those that wait for their turn."""
    kitchen = home.player()
    tasks = [await home.ask_at(alexa, kitchen), home.ask(kitchen), home.ask(home.player("bedroom"))]
    await home.reload()
    for task in tasks:
        with pytest.raises(ServiceValidationError, match="was reloaded"):
            await task
    assert (await alexa.launch())[0] == GREETING


@pytest.mark.parametrize(("answer", "action"), [("yes", "if_yes"), ("no", "if_no"), ("hm", "otherwise")])
async def test_blueprint_asks_and_does_what_is_said(home, alexa, hass, tmp_path, answer: str, action: str) -> None:
    (tmp_path / "blueprints").symlink_to(Path(__file__).parents[2] / "blueprints")
    hass.config.config_dir = str(tmp_path)
    inputs = {"triggers": {"trigger": "event", "event_type": "open"}, "echo": home.player(), "question": "Shall I?"}
    blueprint = {"path": "alexa_relay/question.yaml", "input": inputs | {action: {"event": "done"}}}
    assert await async_setup_component(hass, "automation", {"automation": {"use_blueprint": blueprint}})
    done = async_capture_events(hass, "done")
    hass.bus.async_fire("open")
    await home.opened.get()
    assert (await alexa.launch())[0] == "Shall I?"
    await alexa.say(answer)
    await hass.async_block_till_done()
    assert len(done) == 1
