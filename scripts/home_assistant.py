"""Runs a real Home Assistant until stdin ends; once it is ready, prints one line of JSON about it."""

import json
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from programs import ROOT, free_port, ignore_signals, install, listens, main, running, wait_until

# Alexa's client ids in account linking: in America, in Europe and India, in Japan and Australia.
AMAZON = ("https://pitangui.amazon.com/", "https://layla.amazon.com/", "https://alexa.amazon.co.jp/")

# Words in Home Assistant's log that say that it will not start.
GIVEN_UP = ("Activating recovery mode", "Invalid config for", "Error during setup of component", "Blueprint")

# Alexa's ids of the Echos in the example home. Those of events/ come from the kitchen.
KITCHEN, BEDROOM = "amzn1.ask.device.EXAMPLE", "amzn1.ask.device.BEDROOM"


class HomeAssistant:
    """The home of tests/example_home in a new folder, with the integration."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        self.config = Path(tempfile.mkdtemp())
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.headers: dict[str, str] = {}
        self.opener = build_opener(ProxyHandler({}))

        shutil.copytree(ROOT / "tests/example_home", self.config, dirs_exist_ok=True)
        for folder in ("custom_components/alexa_relay", "blueprints"):
            shutil.copytree(ROOT / folder, self.config / folder)
        http = {"server_host": ["127.0.0.1"], "server_port": self.port}
        (self.config / "http.yaml").write_text(json.dumps(http))
        # From 2026.8 on, Home Assistant reverts imported http settings after 5 minutes unless they are stored already.
        (self.config / ".storage").mkdir()
        (self.config / ".storage/http").write_text(json.dumps({"version": 1, "key": "http", "data": http}))

    def call(self, path: str, body: dict[str, Any] | None = None, form: dict[str, str] | None = None) -> Any:
        headers = self.headers | ({"Content-Type": "application/json"} if body else {})
        data = urlencode(form).encode() if form else body and json.dumps(body).encode()
        try:
            with self.opener.open(Request(self.url + path, data, headers), timeout=30) as answer:
                return json.load(answer)
        except (OSError, ValueError) as problem:
            sys.exit(f"Home Assistant does not answer {path} as it should: {problem}")

    def link(self) -> None:
        """Creates a user, and links the account like Alexa, with each of Amazon's client ids."""
        login = {"username": "paul", "password": secrets.token_hex()}
        # Only this onboarding step: the others set up integrations that connect to the internet.
        self.call("/api/onboarding/users", {"client_id": AMAZON[0], **login, "name": "Paul", "language": "en"})
        self.tokens = {}
        for client_id in AMAZON:
            client = {"client_id": client_id}
            redirect = {"redirect_uri": f"{client_id}api/skill/link/EXAMPLE"}
            flow = self.call("/auth/login_flow", {**client, **redirect, "handler": ["homeassistant", None]})
            code = self.call(f"/auth/login_flow/{flow['flow_id']}", {**client, **login})["result"]
            grant = {"grant_type": "authorization_code", "code": code}
            self.tokens[client_id] = self.call("/auth/token", form={**client, **grant})["access_token"]
        self.token = self.tokens[AMAZON[0]]
        self.headers = {"Authorization": f"Bearer {self.token}"}

    def add_integrations(self) -> None:
        """Adds them as a person does, and opens the skill at each Echo."""
        for name in ("alexa_media", "alexa_relay"):
            flow = self.call("/api/config/config_entries/flow", {"handler": name})
            if flow["type"] == "form":
                self.call(f"/api/config/config_entries/flow/{flow['flow_id']}", {"submit": True})
        for echo in (KITCHEN, BEDROOM):
            launch = (ROOT / "events/launch-request.json").read_text().replace(KITCHEN, echo)
            self.call("/api/alexa", json.loads(launch))

    def set_up(self) -> None:
        """Resets everything to the state that each request starts from."""
        for name, place in {"Paul": "Work", "Anne": "home"}.items():
            person = {"state": place, "attributes": {"friendly_name": name}}
            self.call(f"/api/states/person.{name.lower()}", person)
        self.call("/api/services/scene/turn_on", {"entity_id": "scene.evening"})

    def states(self) -> dict[str, str]:
        """Returns what is on and off once nothing changes any more: a script may go on after Alexa has her answer."""
        before = None
        while True:
            states = {each["entity_id"]: each["state"] for each in self.call("/api/states")}
            now = {name: states[name] for name in states if name.startswith(("light.", "switch.", "input_boolean."))}
            if now == before:
                return now
            before = now
            time.sleep(0.15)


@contextmanager
def home_assistant() -> Iterator[HomeAssistant]:
    """Runs a Home Assistant with a linked account, in its initial state."""
    home = HomeAssistant(install("homeassistant"))
    log = home.config / "output.log"
    command = [home.programs / "hass", "--config", home.config, "--skip-pip"]
    with log.open("w") as output, running(command, output) as process:
        print("Starting Home Assistant ...", file=sys.stderr)
        wait_until(lambda: listens(home.port), process, log, GIVEN_UP)
        home.link()
        wait_until(lambda: home.call("/api/config")["state"] == "RUNNING", process, log, GIVEN_UP)
        home.add_integrations()
        home.set_up()
        yield home


def serve() -> None:
    with home_assistant() as home:
        programs = {name: f"{home.programs}/{name}" for name in ("python", "caddy")}
        about = {"url": home.url, "token": home.token, "tokens": home.tokens, "config": str(home.config)}
        print(json.dumps(about | programs))
        sys.stdin.buffer.read()
        ignore_signals()  # The tests close its input when they end, and then their end stops it.


if __name__ == "__main__":
    # The tests stop it when they end: nothing to report.
    main(serve, when_stopped=None)
