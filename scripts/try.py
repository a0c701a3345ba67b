"""Runs for scripts/try."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request

from home_assistant import HomeAssistant, home_assistant
from programs import ROOT, TARGET, free_port, listens, main, running, wait_until

# The conversation: events, and what a person says.
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
    ("smart-home-accept-grant", "(enables the smart home skill)"),
    ("smart-home-discovery", '"Alexa, discover my devices"'),
    ("smart-home-turn-on", '"Alexa, turn on the hall"'),
]

LOG = TARGET / "relay.log"


@contextmanager
def relay(home: HomeAssistant) -> Iterator[str]:
    """Runs the relay under `cargo lambda watch`, an emulator of Lambda; yields the URL that invokes it."""
    port = free_port()
    watch = [home.programs / "cargo-lambda", "lambda", "watch", "--ignore-changes"]
    address = ["--invoke-address=127.0.0.1", f"--invoke-port={port}"]
    settings = [f"--env-var=BASE_URL={home.url}", "--env-var=AWS_LAMBDA_LOG_FORMAT=JSON"]
    with LOG.open("w") as log, running([*watch, *address, *settings], log) as process:
        wait_until(lambda: listens(port), process, LOG)
        yield f"http://127.0.0.1:{port}/2015-03-31/functions/_/invocations"


def send(home: HomeAssistant, lambda_url: str, event: str) -> tuple[dict[str, Any], list[str]]:
    """Sends an event; returns the reply and the logged faults."""
    logged = len(LOG.read_text())
    try:
        with home.opener.open(Request(lambda_url, event.encode()), timeout=20) as answer:
            reply = json.load(answer)
    except HTTPError:
        reply = {}  # The relay rejected the event; its log says why.
    except (OSError, ValueError) as problem:
        sys.exit(f"The relay does not answer as it should: {problem}. Its log is {LOG}.")
    log = [json.loads(line) for line in LOG.read_text()[logged:].splitlines() if line.startswith("{")]
    faults = [f"{line.get('cause')}; {line.get('remedy')}" for line in log if line["level"] == "ERROR"]
    return reply, faults


def converse(home: HomeAssistant, lambda_url: str, said: str, text: str) -> bool:
    """Sends an event and prints the result; returns whether the relay logged no fault and answered without an error."""
    home.set_up()
    before = home.states()
    reply, faults = send(home, lambda_url, text.replace("example-access-token", home.token))
    after = home.states()

    response, event = reply.get("response", {}), reply.get("event")
    show("You", said)
    show("Alexa", in_short(event) if event else spoken(response) or "(says nothing)")
    if response.get("shouldEndSession") is False:
        show("", "(waits for an answer)")
    card = response.get("card", {})
    show("Card", *(["(a button that links the account)"] if card.get("type") == "LinkAccount" else card.values()))
    show("Home", *(f"{name}: {before[name]} → {after[name]}" for name in after if before[name] != after[name]))
    show("Fault", *faults)
    print()
    return not faults and (not event or event["header"]["name"] != "ErrorResponse")


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


def play() -> None:
    paths = [Path(path) for path in sys.argv[1:]] or [ROOT / f"events/{name}.json" for name, _ in SAID]
    events = [(dict(SAID).get(path.stem, f"({path.name})"), read(path)) for path in paths]
    print("Building the relay ...", file=sys.stderr)
    # At the same time: each takes long on a first run.
    with running(["cargo", "build", "--quiet"]) as build, home_assistant() as home:
        if build.wait() != 0:
            sys.exit("cargo build fails, see above.")
        with relay(home) as lambda_url:
            print()
            answered = [converse(home, lambda_url, said, text) for said, text in events].count(True)
    print(f"{answered} of {len(events)} events answered")
    if answered < len(events):
        sys.exit(f"The relay's log is {LOG}.")


main(play)
