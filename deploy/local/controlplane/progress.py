"""Shows that a step of minutes is alive."""

import sys
import time
from collections.abc import Callable

from controlplane.process import Process

LINE_EVERY = 15.0  # seconds between lines where there is no terminal
WIDTH = 100


def say(text: str) -> None:
    """Write one line to standard error."""
    print(text, file=sys.stderr, flush=True)


class Progress:
    """Tells on standard error how long a step has taken: one updating line on a terminal, else a line now and then."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._start = time.monotonic()
        self._next = self._start + LINE_EVERY
        self._terminal = sys.stderr.isatty()
        if not self._terminal:
            say(title)

    @property
    def elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._start), 60)
        return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"

    def tick(self, detail: str = "") -> None:
        """Call it often; it decides when to write."""
        if self._terminal:
            line = f"{self._title}: {self.elapsed}  {detail}"[:WIDTH]
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() >= self._next:
            self._next += LINE_EVERY
            say(f"{self._title}: {self.elapsed}  {detail}"[:WIDTH])

    def close(self, verdict: str) -> None:
        start = "\r\033[K" if self._terminal else ""
        say(f"{start}{self._title}: {verdict} after {self.elapsed}")


def wait_with_progress(title: str, done: Callable[[], bool], detail: Callable[[], str]) -> None:
    """Wait until `done()`, telling the time it takes."""
    progress = Progress(title)
    while not done():
        progress.tick(detail())
        time.sleep(0.3)
    progress.close("done")


def run_with_progress(title: str, process: Process) -> int:
    """Run a process to its end, telling the time it takes, and return its exit code."""
    progress = Progress(title)
    with process:
        while process.running:
            progress.tick(process.log_tail(1))
            time.sleep(0.3)
    code = process.wait()
    progress.close("done" if code == 0 else "FAILED")
    return code
