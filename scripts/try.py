"""Runs for scripts/try."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from home_assistant import home_assistant
from programs import ROOT, TARGET, free_port, install, listens, main, run, running, wait_until

# The conversation: events, and what a person says.
GARAGE = ("launch-request", "(nothing, but the garage door is open)")
GOOD_NIGHT = ("ask-intent-good-night", '"Alexa, ask Home Assistant good night"')
SAID = [
    ("launch-request", '"Alexa, open Home Assistant"'),
    ("ask-intent", '"Turn on the hall"'),
    ("locate-intent", '"Alexa, ask Home Assistant where Paul is"'),
    ("where-are-we-intent", '"Alexa, ask Home Assistant where we are"'),
    ("activate-scene-intent", '"Alexa, ask Home Assistant to activate downstairs on"'),
    ("activate-scene-intent-synonym", '"Alexa, ask Home Assistant to activate film night"'),
    ("run-script-intent", '"Alexa, ask Home Assistant to run red alert"'),
    ("ask-intent", '"Tell a story of 8 seconds"'),
    ("yes-intent", '"Yes"'),
    GARAGE,
    ("yes-intent", '"Yes"'),
    GOOD_NIGHT,
    ("yes-intent", '"Yes"'),
    GOOD_NIGHT,
    ("no-intent", '"No"'),
    GOOD_NIGHT,
    ("session-ended-request", "(no answer to the question)"),
    ("without-token", '"Alexa, open Home Assistant" (the account is not linked)'),
    ("smart-home-accept-grant", "(enables the smart home skill)"),
    ("smart-home-discovery", '"Alexa, discover my devices"'),
    ("smart-home-turn-on", '"Alexa, turn on the hall"'),
]

# What the events have instead of one's own.
TOKEN = "example-access-token"
SKILL_ID = "amzn1.ask.skill.08888888-7777-6666-5555-444444444444"
SENTENCE = '"turn on the hall"'

LOG = TARGET / "relay.log"


@contextmanager
def relay() -> Iterator[str]:
    """Runs the relay under `cargo lambda watch`, an emulator of Lambda; yields the URL that invokes it."""
    port = free_port()
    watch = [install("cargo-lambda") / "cargo-lambda", "lambda", "watch", "--ignore-changes"]
    os.environ["AWS_LAMBDA_LOG_FORMAT"] = "JSON"
    with LOG.open("w") as log, running([*watch, "--invoke-address=127.0.0.1", f"--invoke-port={port}"], log) as process:
        wait_until(lambda: listens(port), process, LOG)
        yield f"http://127.0.0.1:{port}/2015-03-31/functions/_/invocations"


def send(lambda_url: str, event: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Sends an event; returns the reply and what the relay logged."""
    logged = len(LOG.read_text())
    try:
        with build_opener(ProxyHandler({})).open(Request(lambda_url, event.encode()), timeout=20) as answer:
            reply = json.load(answer)
    except HTTPError:
        reply = {}  # The relay rejected the event; its log says why.
    except (OSError, ValueError) as problem:
        sys.exit(f"The relay does not answer as it should: {problem}. Its log is {LOG}.")
    return reply, [json.loads(line) for line in LOG.read_text()[logged:].splitlines() if line.startswith("{")]


def converse(lambda_url: str, said: str, event: str, states: Callable[[], dict[str, str]] = dict) -> bool:
    """Sends an event and prints the result; returns whether the relay logged no fault and answered without an error."""
    before = states()
    reply, log = send(lambda_url, event)
    after = states()

    response, event = reply.get("response", {}), reply.get("event")
    show("You", said)
    show("Alexa", in_short(event) if event else spoken(response) or "(says nothing)")
    if response.get("shouldEndSession") is False:
        show("", "(waits for an answer)")
    card = response.get("card", {})
    if card.get("type") == "LinkAccount":
        show("Card", "(a button that links the account)")
    elif f'"{card.get("content", "")}"' != spoken(response):
        show("Card", *card.values())
    show("Home", *(f"{name}: {before[name]} → {after[name]}" for name in after if before[name] != after[name]))
    # Lines without a span are about the settings, from the start.
    show("Log", *(in_words(line) for line in log if "span" in line and line["level"] in ("WARN", "ERROR")))
    print()
    return not has_error(log) and (not event or event["header"]["name"] != "ErrorResponse")


def has_error(log: list[dict[str, Any]]) -> bool:
    return any(line["level"] == "ERROR" for line in log)


def in_words(line: dict[str, Any]) -> str:
    message = line["message"] if line["message"] != "not answered by Home Assistant" else None
    return "; ".join(filter(None, (message, *map(line.get, ("cause", "needs", "remedy")))))


def spoken(response: dict[str, Any]) -> str:
    speech = response.get("outputSpeech")
    return f'"{speech.get("text") or speech.get("ssml")}"' if speech else ""


def in_short(event: dict[str, Any]) -> str:
    """Summarizes the answer to a directive. It has no speech: Alexa chooses her own words."""
    payload = event["payload"]
    devices = ", ".join(device["friendlyName"] for device in payload.get("endpoints", []))
    return f"({payload.get('message') or devices or 'OK'})"


def show(who: str, *lines: str) -> None:
    for line in lines:
        print(f"{who:<6} {line}")
        who = ""


def read(path: Path) -> str:
    try:
        event = path.read_text()
        json.loads(event)
    except (OSError, ValueError) as problem:
        sys.exit(f"{path} cannot be read: {getattr(problem, 'strerror', problem)}.")
    return event


def play(events: list[tuple[str, str]]) -> None:
    print("Building the relay ...", file=sys.stderr)
    # At the same time: each takes long on a first run.
    with running(["cargo", "build", "--quiet"]) as build, home_assistant() as home:
        if build.wait() != 0:
            sys.exit("cargo build fails, see above.")
        os.environ["BASE_URL"] = home.url
        answered = 0
        with relay() as lambda_url:
            print()
            for said, text in events:
                home.set_up()
                if said == GARAGE[1]:
                    home.call("/api/services/script/turn_on", {"entity_id": "script.garage_door"})
                answered += converse(lambda_url, said, text.replace(TOKEN, home.token), home.states)
    print(f"{answered} of {len(events)} events answered")
    if answered < len(events):
        sys.exit(f"The relay's log is {LOG}.")


def play_to_own_home(sentences: Iterable[str]) -> None:
    """Does nothing there but what is said."""
    check, launch, ask = (
        read(ROOT / f"events/{name}.json").replace(TOKEN, "").replace(SKILL_ID, os.environ.get("SKILL_ID", SKILL_ID))
        for name in ("without-token", "launch-request", "ask-intent")
    )
    print("Building the relay ...\n", file=sys.stderr)
    run("cargo", "build", "--quiet")
    token = os.environ.pop("LONG_LIVED_ACCESS_TOKEN", "")
    with relay() as lambda_url:
        _, log = send(lambda_url, check)
        # The missing token is no news.
        clear = [line | {"remedy": None} if "is clear" in line.get("cause", "") else line for line in log]
        show("Check", *(in_words(line) for line in clear if line["message"] != "request"))
        print()
    if has_error(log):
        sys.exit(f"The relay's log is {LOG}.")
    if not token:
        sys.exit("To talk to Home Assistant, set LONG_LIVED_ACCESS_TOKEN.")
    os.environ["LONG_LIVED_ACCESS_TOKEN"] = token
    with relay() as lambda_url:
        # No further request if this one fails: each refused token counts towards a ban.
        is_fine = converse(lambda_url, '"Alexa, open Home Assistant"', launch) and all(
            converse(lambda_url, f'"{sentence}"', ask.replace(SENTENCE, json.dumps(sentence))) for sentence in sentences
        )
    if not is_fine:
        sys.exit(f"The relay's log is {LOG}.")


def lines() -> Iterator[str]:
    print("Type what you would say. An empty line ends.", file=sys.stderr)
    for line in sys.stdin:
        if not line.strip():
            break
        yield line.strip()


def start() -> None:
    arguments = sys.argv[1:]
    if "BASE_URL" in os.environ:
        play_to_own_home([" ".join(arguments)] if arguments else lines())
    else:
        events = [(said, read(ROOT / f"events/{name}.json").replace(SENTENCE, said.lower())) for name, said in SAID]
        names = dict(reversed(SAID))
        given = [(names.get(path.stem, f"({path.name})"), read(path)) for path in map(Path, arguments)]
        play(given or events)


main(start)
