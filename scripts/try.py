"""What scripts/try does once it has found Python."""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from home_assistant import HomeAssistant, free_port, home_assistant
from processes import ROOT, TARGET, Failed, last_lines, main, run, running, step, wait_until

PLACEHOLDER = "example-access-token"

# The conversation: events, and what a person says. Other events follow, with their intent and slots.
GOOD_NIGHT = ("ask-intent-good-night", '"Alexa, ask Home Assistant good night"')
SAID = [
    ("launch-request", '"Alexa, open Home Assistant"'),
    ("ask-intent", '"Turn on the hall"'),
    ("locate-intent", '"Alexa, ask Home Assistant where Paul is"'),
    ("where-are-we-intent", '"Alexa, ask Home Assistant where we are"'),
    ("activate-scene-intent", '"Alexa, ask Home Assistant to activate downstairs on"'),
    ("activate-scene-intent-synonym", '"Alexa, ask Home Assistant to activate film night"'),
    ("run-script-intent", '"Alexa, ask Home Assistant to run red alert"'),
    GOOD_NIGHT,
    ("yes-intent", '"Yes"'),
    GOOD_NIGHT,
    ("no-intent", '"No"'),
    GOOD_NIGHT,
    ("session-ended-request", "(no answer to the question)"),
    ("without-token", '"Alexa, open Home Assistant" (the account is not linked)'),
]

LOG = TARGET / "relay.log"


@contextmanager
def relay(base_url: str) -> Iterator[str]:
    """Runs the relay under `cargo lambda watch`, which stands in for Lambda; gives the address that invokes it."""
    port = free_port()
    watch = ["cargo", "lambda", "watch", "--ignore-changes", "--invoke-address=127.0.0.1", f"--invoke-port={port}"]
    settings = [f"--env-var=BASE_URL={base_url}", "--env-var=AWS_LAMBDA_LOG_FORMAT=JSON"]
    with LOG.open("w") as log, running([*watch, *settings], log) as process:
        with step("Starting the relay"):
            wait_until(lambda: listens(port), process, LOG)
        yield f"http://127.0.0.1:{port}/2015-03-31/functions/_/invocations"


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def answer(lambda_url: str, event: str) -> tuple[dict[str, Any], list[dict[str, Any]], str]:
    """Sends an event; returns the `response` of the reply, what the relay logged, and what else went wrong."""
    logged = len(LOG.read_text())
    try:
        # Where the relay has ended, `cargo lambda watch` never answers.
        text = requests.post(lambda_url, event.encode(), timeout=20, proxies={"http": ""}).text
    except requests.RequestException:
        raise Failed(f"The relay gives no answer. {last_lines(LOG.read_text())}") from None
    lines = LOG.read_text()[logged:].splitlines()
    log = [json.loads(line) for line in lines if line.startswith("{")]
    try:
        return json.loads(text)["response"], log, ""
    except (ValueError, LookupError):
        return {}, log, f"This is not a reply: {text}"


def converse(home: HomeAssistant, lambda_url: str, said: str, event: str) -> bool:
    """Sends an event and prints what comes of it; returns whether it was answered as it should be."""
    home.set_up()
    before = home.states()
    response, log, problem = answer(lambda_url, event.replace(PLACEHOLDER, home.token))
    after = home.states()

    speech, card = response.get("outputSpeech"), response.get("card")
    show("You", said)
    show("Alexa", in_words(speech) if speech else "(says nothing)")
    if response.get("shouldEndSession") is False:
        reprompt = response.get("reprompt", {}).get("outputSpeech")
        show("", f"(waits for an answer; then asks: {in_words(reprompt)})" if reprompt else "(waits for an answer)")
    if card:
        link = card["type"] == "LinkAccount"
        show("Card", "(a button that links the account)" if link else f"{card.get('title')} {card.get('content')}")
    things = [thing for thing in after if thing.startswith(("switch.", "input_boolean."))]
    show("Home", *(f"{thing}: {before[thing]} → {after[thing]}" for thing in things if before[thing] != after[thing]))

    # The relay's own sentences come without this status. Without a token, it asks for the link.
    with_token = '"accessToken"' in event
    answered = (
        200 in [line.get("status") for line in log] if with_token else bool(card) and card["type"] == "LinkAccount"
    )
    if not answered:
        faults = [f"{line['cause']}; {line.get('remedy')}" for line in log if "cause" in line]
        show("Fault", *(faults or problem.splitlines()))
    print(flush=True)
    return answered


def show(who: str, *lines: str) -> None:
    for label, line in zip([who] + [""] * len(lines), lines):
        print(f"{label:<6} {line}")


def in_words(speech: dict[str, str]) -> str:
    return f'"{speech.get("text") or speech.get("ssml")}"'


def read(path: Path) -> tuple[str, str]:
    """What is said to Alexa, and the event that she makes of it."""
    try:
        event = path.read_text()
        request = json.loads(event)["request"]
        intent = request.get("intent") or {"name": request["type"]}
        slots = [f"{name}: {slot.get('value')}" for name, slot in (intent.get("slots") or {}).items()]
    except OSError as problem:
        raise Failed(f"{path} cannot be read: {problem.strerror}.") from problem
    except (ValueError, LookupError, TypeError, AttributeError) as problem:
        raise Failed(f"{path} is not what Alexa sends: {type(problem).__name__}: {problem}") from problem
    return dict(SAID).get(path.stem) or f"({', '.join([intent['name'], *slots])})", event


def play() -> None:
    ours = [ROOT / f"events/{name}.json" for name, _ in SAID]
    ours += sorted(set((ROOT / "events").glob("*.json")) - set(ours))
    events = [read(Path(path)) for path in sys.argv[1:] or ours]
    for setting in ("LONG_LIVED_ACCESS_TOKEN", "NOT_VERIFY_SSL", "DEBUG"):
        os.environ.pop(setting, None)

    run("Building the relay", ["cargo", "build"])
    with home_assistant() as home, relay(home.url) as lambda_url:
        print()
        start = time.monotonic()
        answered = [converse(home, lambda_url, said, event) for said, event in events].count(True)
        seconds = time.monotonic() - start
    print(f"{answered} of {len(events)} events answered in {seconds:.0f} s")
    if answered < len(events):
        raise Failed(f"The relay's log is {LOG}. {last_lines(LOG.read_text())}")


main(play)
