"""Ends what a run started when the run itself is gone, even by SIGKILL.

One guard process per Python process holds the reading end of a pipe. The end of the pipe is the end of the run: the
guard then kills every process group it was told about, by id, and removes the temporary directories.
This file is both the script (standard library only) and its client.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PARENT_CHECK = 1.0  # seconds; a forked sibling may hold the pipe open after our parent died
REMOVE_TIMEOUT = 60.0  # seconds; killed processes may still be writing


class Guard:
    """The client: tells the guard process what to end."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._lock = threading.Lock()
        script = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(self.owner)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the terminal is for the run, not for its guard
        )
        assert script.stdin is not None
        assert script.stdout is not None
        self.pid = script.pid
        # Bare, as the end of this process is what closes them: at that end Python warns of open files, and of a child that runs.
        self._orders, self._answers = os.dup(script.stdin.fileno()), os.dup(script.stdout.fileno())
        script.stdin.close()
        script.stdout.close()
        script.returncode = 0

    def tell(self, verb: str, what: int | str) -> None:
        """Send one order and wait until it is taken; RuntimeError if the guard is gone."""
        order = json.dumps([verb, what]).encode() + b"\n"
        with self._lock, contextlib.suppress(BrokenPipeError):
            os.write(self._orders, order)  # whole: it is shorter than what a pipe takes at once
            if os.read(self._answers, 1):
                return
        raise RuntimeError(f"the guard process {self.pid} is gone; start the run again")

    def leave(self) -> None:
        """Let go of it: it is another process's."""
        os.close(self._orders)
        os.close(self._answers)


_guard: Guard | None = None
_guard_lock = threading.Lock()


def guard() -> Guard:
    """Return this process's guard, starting it at the first call."""
    global _guard  # noqa: PLW0603 (one guard for each process)
    with _guard_lock:
        if _guard and _guard.owner != os.getpid():  # a forked child is a run of its own
            _guard.leave()
            _guard = None
        _guard = _guard or Guard()
        return _guard


def watch(parent: int) -> list[tuple[str, int | str]]:
    """Take orders until the parent is gone, and return what is left to end."""
    charges: set[tuple[str, int | str]] = set()
    buffer = b""
    while os.getppid() == parent:
        if not select.select([0], [], [], PARENT_CHECK)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *orders, buffer = (buffer + data).split(b"\n")
        for order in orders:
            verb, what = json.loads(order)
            kind = "directory" if isinstance(what, str) else "group"
            (charges.add if verb == "watch" else charges.discard)((kind, what))
            os.write(1, b".")
    return sorted(charges, key=lambda charge: charge[0], reverse=True)  # groups, then directories


def end(charges: list[tuple[str, int | str]]) -> None:
    """Kill the process groups, then remove the directories."""
    for _, what in charges:
        if isinstance(what, int):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(what, signal.SIGKILL)
        else:
            deadline = time.monotonic() + REMOVE_TIMEOUT
            while Path(what).exists() and time.monotonic() < deadline:
                shutil.rmtree(what, ignore_errors=True)
                time.sleep(0.05)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    end(watch(int(sys.argv[1])))
