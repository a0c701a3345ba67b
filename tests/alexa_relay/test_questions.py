"""Home Assistant asks first: alexa_relay.ask_question."""

import asyncio
from typing import Any

from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
import voluptuous as vol

from .conftest import GREETING, SKILL, device_of, said


@pytest.fixture
def player(hass):
    """Return what makes the players of Alexa Media Player or Alexa Devices."""

    def make(name: str, domain: str = "alexa_media") -> str:
        entry = MockConfigEntry(domain=domain, title=name)
        entry.add_to_hass(hass)
        device = dr.async_get(hass).async_get_or_create(
            config_entry_id=entry.entry_id, identifiers={(domain, name)}, name=name
        )
        er.async_get(hass).async_get_or_create(
            "media_player", domain, name, device_id=device.id, suggested_object_id=name, config_entry=entry
        )
        return device.id

    return make


@pytest.fixture
def opened(hass) -> list[Any]:
    """All that was sent to Alexa Media Player."""
    return async_mock_service(hass, "media_player", "play_media")


@pytest.fixture
def ask(hass, entry):
    """Return what asks a question without waiting for the answer."""

    def ask(device_id: str, question: str = "Shall I?", **data: Any) -> asyncio.Task[Any]:
        data |= {"device_id": device_id, "question": question}
        call = hass.services.async_call("alexa_relay", "ask_question", data, blocking=True, return_response=True)
        return hass.async_create_task(call)

    return ask


@pytest.fixture
def asked(alexa, player, opened, ask):
    """Return what asks a question at the Echo in the kitchen; it returns that and what Alexa says."""

    async def asked(question: str = "Shall I?", **data: Any) -> tuple[asyncio.Task[Any], dict[str, Any]]:
        task = ask(player("kitchen"), question, **data)
        await opening(opened)
        return task, await alexa.launch()

    return asked


async def opening(calls: list[Any], count: int = 1) -> None:
    """Wait until the skill was opened this often."""
    async with asyncio.timeout(2):
        while len(calls) < count:
            await asyncio.sleep(0)


async def learn(alexa: Any, device_id: str, ask: Any, opened: list[Any]) -> None:
    """Let it be learnt which Echo a player is."""
    task = ask(device_id)
    await opening(opened)
    assert said(await alexa.launch())[0] == "Shall I?"
    await alexa.yes()
    await task
    opened.clear()


async def test_question_and_answer(alexa, player, opened, ask, hass, entry) -> None:
    await alexa.launch()
    kitchen = player("kitchen")
    task = ask(kitchen, "Shall I close it?")
    await opening(opened)
    assert list(opened[0].data.values()) == ["media_player.kitchen", "skill", SKILL]
    assert said(await alexa.launch()) == ("Shall I close it?", "Shall I close it?")
    assert said(await alexa.yes()) == ("OK.", None)
    device_id = device_of(hass, entry).id
    assert await task == {"id": "yes", "sentence": "yes", "slots": {}, "device_id": device_id}
    # From now on, the Echo's own device will do.
    opened.clear()
    await learn(alexa, device_id, ask, opened)
    assert said(await alexa.launch())[0] == GREETING


async def test_alexa_devices(alexa, player, ask, hass) -> None:
    """It opens the skill by its name, in the language of the Echo."""
    opened = async_mock_service(hass, "alexa_devices", "send_text_command")
    kitchen = player("kitchen", "alexa_devices")
    alexa.locale = "en-GB"
    await learn(alexa, kitchen, ask, opened)
    task = ask(kitchen)
    await opening(opened)
    assert opened[0].data == {"device_id": kitchen, "text_command": "open home assistant"}
    task.cancel()


async def test_echo_of_both_integrations(alexa, player, opened, ask, hass) -> None:
    """It asks, whichever of its two players is named."""
    texts = async_mock_service(hass, "alexa_devices", "send_text_command")
    for device_id, calls in ((player("a"), opened), (player("b", "alexa_devices"), texts)) * 2:
        await learn(alexa, device_id, ask, calls)


async def test_unknown_skill_is_opened_by_its_name(player, opened, ask) -> None:
    task = ask(player("kitchen"))
    await opening(opened)
    assert list(opened[0].data.values()) == ["media_player.kitchen", "custom", "open home assistant"]
    task.cancel()


@pytest.mark.parametrize(
    ("sentence", "answer", "slots"),
    [
        ("play some jazz please", "genre", {"genre": "jazz"}),
        ("Nothing.", "nothing", {}),
        ("yes", "yes", {}),
        ("sure", "yes", {}),
        ("no thanks", None, {}),
        ("hm", None, {}),
    ],
)
async def test_expected_answers(alexa, asked, sentence: str, answer: str | None, slots: Any) -> None:
    """As with assist_satellite.ask_question; "yes" and "no" also match answers with that id."""
    answers = [
        {"id": "genre", "sentences": ["[play] [some] {genre} please"]},
        {"id": "nothing", "sentences": "(nothing|never mind)"},
        {"id": "yes", "sentences": ["anything"]},
    ]
    task, _ = await asked(answers=answers)
    await alexa.say(sentence)
    reply = await task
    assert (reply["id"], reply["sentence"], reply["slots"]) == (answer, sentence, slots)


async def test_japanese_has_no_blanks(alexa, asked) -> None:
    alexa.locale = "ja-JP"
    task, _ = await asked(answers=[{"id": "light", "sentences": ["{color} に して"]}])
    await alexa.say("あか にして")
    assert (await task)["id"] == "light"


@pytest.mark.parametrize("end", ["silence", "stop", "timeout"])
async def test_no_answer(alexa, asked, end: str) -> None:
    task, _ = await asked(timeout=1)
    if end == "silence":
        await alexa.end()
    elif end == "stop":
        await alexa.intent("AMAZON.StopIntent")
    reply = await task
    assert (reply["id"], reply["sentence"]) == (None, "")
    assert said(await alexa.launch())[0] == GREETING


async def test_questions_to_two_echos(echo_at, player, opened, ask) -> None:
    """Each Echo asks its own, whoever answers first."""
    kitchen, bedroom = echo_at("kitchen"), echo_at("bedroom")
    tasks = [ask(player("kitchen"), "Kitchen?"), ask(player("bedroom"), "Bedroom?")]
    await opening(opened)
    assert len(opened) == 1  # It is not known yet which Echo is which.
    assert said(await kitchen.launch())[0] == "Kitchen?"
    await opening(opened, 2)
    assert said(await bedroom.launch())[0] == "Bedroom?"
    await bedroom.no()
    await kitchen.yes()
    assert [(await task)["id"] for task in tasks] == ["yes", "no"]


async def test_questions_in_turn(alexa, player, opened, ask) -> None:
    kitchen = player("kitchen")
    tasks = [ask(kitchen, f"Question {number}?") for number in (1, 2)]
    for number, answer in ((1, "yes"), (2, "no")):
        await opening(opened, number)
        assert said(await alexa.launch())[0] == f"Question {number}?"
        assert len(opened) == number
        await alexa.say(answer)
    assert [(await task)["id"] for task in tasks] == ["yes", "no"]


async def test_stopped_automation_takes_its_question_with_it(alexa, player, opened, ask, agent) -> None:
    heard = agent(lambda heard, response: "Assist.")
    for is_asked in (False, True):
        task = ask(player(f"player {is_asked}"))
        await opening(opened)
        opened.clear()
        if is_asked:
            await alexa.launch()
        task.cancel()
        await asyncio.sleep(0)
        assert said(await alexa.yes())[0] == "Assist."
        assert said(await alexa.launch())[0] == GREETING
    assert len(heard) == 2


async def test_question_stays_open(alexa, asked, hass) -> None:
    """Help, a misunderstanding, a scene and an intent of one's own leave it open."""
    async_mock_service(hass, "scene", "turn_on")
    hass.states.async_set("scene.movie", "scening", {"friendly_name": "Movie"})
    await async_setup_component(hass, "intent_script", {"intent_script": {"OwnIntent": {"speech": {"text": "Mine."}}}})
    task, _ = await asked()
    for name, slots, begin in (
        ("AMAZON.HelpIntent", {}, "Say what"),
        ("AMAZON.FallbackIntent", {}, "I did not understand that."),
        ("ActivateSceneIntent", {"Scene": "movie"}, "OK, movie."),
    ):
        text, reprompt = said(await alexa.intent(name, **slots))
        assert text.startswith(begin)
        assert text.endswith(" Shall I?")
        assert reprompt == "Shall I?"
    assert said(await alexa.intent("OwnIntent"))[0] == "Mine."
    assert said(await alexa.launch())[0] == "Shall I?"
    await alexa.yes()
    assert (await task)["id"] == "yes"


@pytest.mark.parametrize(
    ("question", "kind", "text"),
    [
        ('<speak>Now<break time="1s"/>?</speak>', "ssml", '<speak>Now<break time="1s"/>?</speak>'),
        ('R&B<break time="1s"/>?', "ssml", '<speak>R&amp;B<break time="1s"/>?</speak>'),
        ("5 < 6 & 7?", "text", "5 < 6 & 7?"),
    ],
)
async def test_ssml(alexa, asked, question: str, kind: str, text: str) -> None:
    task, answer = await asked(question)
    assert answer["outputSpeech"][kind] == answer["reprompt"]["outputSpeech"][kind] == text
    help_text = (await alexa.intent("AMAZON.HelpIntent"))["outputSpeech"][kind]
    assert help_text.count("<speak>") == (kind == "ssml")
    task.cancel()


async def test_question_is_the_answer(alexa, hass, agent, ask, entry) -> None:
    """An automation that was triggered by a sentence asks back, without a player."""

    async def good_night(heard: Any, response: Any) -> str:
        reply = await ask(heard.device_id, "Shall I turn off the lights?")
        return f"You said {reply['id']}."

    agent(good_night)
    assert said(await alexa.say("good night"))[0] == "Shall I turn off the lights?"
    assert said(await alexa.yes()) == ("You said yes.", None)
    await alexa.say("good night")
    await alexa.end()
    assert said(await alexa.launch())[0] == GREETING


async def test_wrong_calls(alexa, player, opened, ask, hass, entry) -> None:
    await alexa.launch()
    for device_id in ("nothing", device_of(hass, entry).id, player("cast", "cast")):
        with pytest.raises(ServiceValidationError):
            await ask(device_id)
    for sentence in ("[never closed", "no <rule> of that name", "{}"):
        with pytest.raises(vol.Invalid):
            await ask(player("kitchen"), answers=[{"id": "a", "sentences": [sentence]}])
    assert not opened


async def test_reload_ends_questions(alexa, player, opened, ask, hass, entry) -> None:
    """Those that are asked, and those that wait for their turn."""
    kitchen = player("kitchen")
    tasks = [ask(kitchen), ask(kitchen), ask(player("bedroom"))]
    await opening(opened)
    await alexa.launch()
    assert await hass.config_entries.async_reload(entry.entry_id)
    for task in tasks:
        with pytest.raises(ServiceValidationError):
            await task
    assert said(await alexa.launch())[0] == GREETING
