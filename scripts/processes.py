"""Runs programs: with one line that tells a person what is going on, and so that none is left running."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "target"

# Has a child ended when this process is killed and cannot clean up.
END_WITH_PARENT = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []


class Failed(Exception):
    """What could not be done, in words for the person at the terminal."""


@contextmanager
def step(what: str) -> Iterator[None]:
    """Prints what is being done, then how many seconds it took."""
    start = time.monotonic()
    print(f"{what} ...", end="", file=sys.stderr, flush=True)
    try:
        yield
    except BaseException:
        print(file=sys.stderr)
        raise
    print(f" {time.monotonic() - start:.0f} s", file=sys.stderr)


@contextmanager
def running(command: list[Any], output: IO[str] | None) -> Iterator[subprocess.Popen]:
    """Runs a program in a process group of its own, all of which ends when the `with` does."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
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


def run(what: str, command: list[Any], hint: str = "", lines: int = 20) -> None:
    """Runs a program to its end. Where it fails, the last lines of its output say why."""
    with step(what), tempfile.TemporaryFile("w+", errors="replace") as output, running(command, output) as process:
        if process.wait() != 0:
            output.seek(0)
            raise Failed(f"{what} failed. {hint}{last_lines(output.read(), lines)}")


def wait_until(ready: Callable[[], bool], process: subprocess.Popen, log: Path, given_up: tuple[str, ...] = ()) -> None:
    """Waits until a program can be used. Fails where it has ended, or its log has words that say it cannot be."""
    deadline = time.monotonic() + 180  # seconds; the first start of Home Assistant takes 24 on a small machine
    while True:
        is_ready = ready()
        text = log.read_text(errors="replace")
        if process.poll() is not None or time.monotonic() > deadline or any(words in text for words in given_up):
            raise Failed(f"It does not start. {last_lines(text)}")
        if is_ready:
            return
        time.sleep(0.1)


def last_lines(text: str, lines: int = 20) -> str:
    return "The last lines of its output:\n" + "\n".join(text.strip().splitlines()[-lines:])


def main(do: Callable[[], object], when_stopped: str | None = "Stopped.") -> None:
    """Runs a program of this folder: it cleans up when it is stopped, and says in words what failed."""
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(*_: object) -> None:
        for each in signals:  # Cleaning up takes seconds; an impatient second Ctrl-C would leave things behind.
            signal.signal(each, signal.SIG_IGN)
        sys.exit(when_stopped)

    for each in signals:
        signal.signal(each, stop)
    # Whatever a program leaves behind in its temporary folder goes with this one.
    with tempfile.TemporaryDirectory(prefix="tmp-", dir=TARGET) as folder:
        os.environ["TMPDIR"] = tempfile.tempdir = folder
        try:
            do()
        except Failed as failure:
            sys.exit(str(failure))
