"""Installs programs into target/, and runs them so that none is left running. As a program, it runs a script of Python
with what a list in requirements/ says: programs.py LIST FILE...
"""

import os
import platform
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"

# Installs the rest.
UV = TARGET / "uv-0.13.9"

# Ends a child when this process is killed and cannot clean up.
END_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def install(name: str) -> Path:
    """Installs a list of requirements/, unless it is installed; returns the folder of its programs."""
    folder = TARGET / f"{name}-{platform.python_version()}"
    os.environ["UV_CACHE_DIR"] = str(TARGET / "uv-cache")
    failed = f"{name} cannot be installed, see above. Is the network up, and the package index within reach?"
    if not (UV / "bin/uv").exists():
        run(sys.executable, "-m", "pip", "install", "-qq", "--target", UV, UV.name.replace("-", "=="), failed=failed)
    if not (folder / "bin/python").exists():
        print(f"Installing {name} ...", file=sys.stderr)
        run(UV / "bin/uv", "venv", "--quiet", "--allow-existing", "--python", sys.executable, folder)
    requirements = f"scripts/requirements/{name}.txt"
    run(UV / "bin/uv", "pip", "sync", "--quiet", "--python", folder, requirements, failed=failed)
    return folder / "bin"


@contextmanager
def running(command: Sequence[str | Path], output: IO[str] | None = None) -> Iterator[subprocess.Popen]:
    """Runs a program in its own process group, and ends the whole group with the `with`."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output}
    process = subprocess.Popen([*END_WITH_PARENT, *command], cwd=ROOT, start_new_session=True, **streams)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # The whole group has ended.
            os.killpg(process.pid, signal.SIGTERM)
            for _ in range(100):
                process.poll()
                os.killpg(process.pid, 0)
                time.sleep(0.1)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(*command: str | Path, failed: str = "") -> None:
    with running(command) as process:
        if process.wait() != 0:
            sys.exit(failed or f"{' '.join(map(str, command))} fails, see above.")


def wait_until(ready: Callable[[], bool], process: subprocess.Popen, log: Path, given_up: tuple[str, ...] = ()) -> None:
    """Waits until a program is ready. Fails if it has ended, or if its log has one of the words `given_up`."""
    deadline = time.monotonic() + 180  # seconds; the first start of Home Assistant takes 24 on a small machine
    is_ready = False
    while not is_ready:
        is_ready = ready()
        text = log.read_text(errors="replace")
        if process.poll() is not None or time.monotonic() > deadline or any(words in text for words in given_up):
            sys.exit("It does not start. The last lines of its log:\n" + "\n".join(text.splitlines()[-20:]))
        time.sleep(0.1)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def ignore_signals() -> None:
    """For cleaning up, which takes seconds: an impatient second Ctrl-C would leave things behind."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def main(do: Callable[[], object], when_stopped: str | None = "Stopped.") -> None:
    """Runs a script of this folder, and cleans up when it is stopped."""

    def stop(*_: object) -> None:
        ignore_signals()
        sys.exit(when_stopped)

    for each in SIGNALS:
        signal.signal(each, stop)
    sys.stdout.reconfigure(line_buffering=True)
    TARGET.mkdir(exist_ok=True)
    for folder in TARGET.glob("tmp-*"):
        if folder.stat().st_mtime < time.time() - 86400:  # From a killed run; none takes a day.
            shutil.rmtree(folder, ignore_errors=True)
    # Deletes with this folder whatever a program leaves in it.
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=TARGET) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            do()
        except BrokenPipeError:  # `scripts/try | head` reads no more. What is still buffered goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)


if __name__ == "__main__":
    main(lambda: run(install(sys.argv[1]) / "python", *sys.argv[2:]))
