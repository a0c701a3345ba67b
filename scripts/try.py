"""Runs for scripts/try."""

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from getpass import getpass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from home_assistant import BEDROOM, KITCHEN, home_assistant
from programs import ROOT, TARGET, free_port, install, listens, main, run, running, wait_until

# What the events have instead of one's own.
TOKEN = "example-access-token"
SKILL_ID = "amzn1.ask.skill.08888888-7777-6666-5555-444444444444"
SENTENCE = '"turn on the hall"'

LOG = TARGET / "relay.log"


@contextmanager
def relay() -> Iterator[str]:
    """Runs the relay under `cargo lambda watch`, an emulator of Lambda; yields the URL that invokes it."""
    port = free_port()
    # No web page may read what the relay answers.
    watch = [install("cargo-lambda") / "cargo-lambda", "lambda", "watch", "--ignore-changes", "--disable-cors"]
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
    is_error = event and event["header"]["name"] == "ErrorResponse"
    return not is_error and all(line["level"] != "ERROR" for line in log)


def in_words(line: dict[str, Any]) -> str:
    message = line["message"] if line["message"] != "not answered by Home Assistant" else None
    return "; ".join(filter(None, (message, *map(line.get, ("cause", "needs", "remedy")))))


def spoken(response: dict[str, Any]) -> str:
    speech = response.get("outputSpeech")
    return f'"{speech.get("text") or speech.get("ssml")}"' if speech else ""


# The answer to a directive has no speech: Alexa chooses her own words.
def in_short(event: dict[str, Any]) -> str:
    payload = event["payload"]
    devices = ", ".join(device["friendlyName"] for device in payload.get("endpoints", []))
    return f"({payload.get('message') or devices or 'OK'})"


def show(who: str, *lines: str) -> None:
    for line in lines:
        print(f"{who:<6} {line}")
        who = ""


def read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError) as problem:
        sys.exit(f"{path} cannot be read: {getattr(problem, 'strerror', problem)}.")


def conversation() -> Iterator[tuple[str, str]]:
    """Yields what is said, and the event."""
    lines = read(ROOT / "scripts/conversation.txt").splitlines()
    for name, room, said in (line.split(maxsplit=2) for line in lines if not line.startswith("#")):
        event = read(ROOT / f"events/{name}.json").replace(SENTENCE, said.lower())
        yield (f"{said} (in the bedroom)", event.replace(KITCHEN, BEDROOM)) if room == "bedroom" else (said, event)


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
                if "garage door is open" in said:
                    home.call("/api/services/script/turn_on", {"entity_id": "script.garage_door"})
                answered += converse(lambda_url, said, text.replace(TOKEN, home.token), home.states)
    print(f"{answered} of {len(events)} events answered")
    if answered < len(events):
        sys.exit(f"The relay's log is {LOG}.")


def play_to_own_home(sentences: Iterable[str]) -> None:
    """Does nothing there but what is said, and makes no Echo; without a token, only checks the way."""
    launch, ask = (read(ROOT / f"events/{name}.json") for name in ("launch-request", "ask-intent"))
    for example, value in {TOKEN: "", KITCHEN: "", SKILL_ID: os.environ.get("SKILL_ID", SKILL_ID)}.items():
        launch, ask = launch.replace(example, value), ask.replace(example, value)
    token = os.environ.get("LONG_LIVED_ACCESS_TOKEN", "")
    if "TOKEN_FILE" in os.environ:
        token = read(Path(os.environ["TOKEN_FILE"])).strip()
    elif not token and sys.stdin.isatty():
        token = getpass("A long-lived access token (Enter: only check the way to Home Assistant): ").strip()
    os.environ["LONG_LIVED_ACCESS_TOKEN"] = token
    print("Building the relay ...\n", file=sys.stderr)
    run("cargo", "build", "--quiet")
    with relay() as lambda_url:
        # No further request if this one fails: each refused token counts towards a ban.
        is_fine = converse(lambda_url, '"Alexa, open Home Assistant"', launch)
        for sentence in sentences if token and is_fine else ():
            is_fine &= converse(lambda_url, f'"{sentence}"', ask.replace(SENTENCE, json.dumps(sentence)))
    if not is_fine:
        sys.exit(f"The relay's log is {LOG}.")


def lines() -> Iterator[str]:
    print("Type what you would say. An empty line ends.", file=sys.stderr)
    yield from iter(lambda: sys.stdin.readline().strip(), "")


def start() -> None:
    arguments = sys.argv[1:]
    if "BASE_URL" in os.environ:
        play_to_own_home([" ".join(arguments)] if arguments else lines())
    else:
        play([(f"({path.name})", read(path)) for path in map(Path, arguments)] or list(conversation()))


main(start)
