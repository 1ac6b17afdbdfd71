"""The machine: what it is, what else runs on it, and what a process uses, from /proc."""

import math
import os
import platform
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used so far; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def megabytes(pid: int) -> float:
    """The resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))


def describe() -> dict[str, object]:
    """What the machine is."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"cores": os.cpu_count(), "processor": model, "python": platform.python_version(), "system": platform.platform()}


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment: how much the processors have worked since they were started, in seconds, and how much of it was for us."""

    at: float
    busy: float
    ours: float

    @classmethod
    def now(cls) -> "Mark":
        """This moment."""
        return cls(time.monotonic(), _busy(), _own())

    def others(self) -> float:
        """How many cores others have used since then, on average."""
        now = Mark.now()
        return max(0.0, (now.busy - self.busy) - (now.ours - self.ours)) / max(now.at - self.at, 1e-9)


class Awake:
    """Tells how long something took while the machine ran: it may have stood still meanwhile, and all of us with it.

    A thread that only sleeps notices; others may be faster to go on, so what it has not seen yet counts too.
    """

    _TURN = 0.01  # seconds
    _STILL = 0.05  # seconds: a turn that took so much longer was no turn

    def __init__(self) -> None:
        self._pauses: list[tuple[float, float]] = []
        self._last = math.inf  # when it looked last
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="awake", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, start: float, end: float) -> float:
        """The seconds from one moment (time.perf_counter) to another, without those for which nothing ran."""
        pauses = [*self._pauses, *self._since()]
        return end - start - sum(max(0.0, min(end, until) - max(start, since)) for since, until in pauses)

    def _since(self) -> list[tuple[float, float]]:
        last, now = self._last, time.perf_counter()
        return [(last + self._TURN, now)] if now - last > self._TURN + self._STILL else []

    def _look(self) -> None:
        over = False
        while not over:
            self._last = time.perf_counter()
            over = self._over.wait(self._TURN)
            self._pauses += self._since()
        self._last = math.inf


def load() -> float:
    """How many processes have wanted to run, averaged over the last minute; our own are among them."""
    return os.getloadavg()[0]


def _busy() -> float:
    user, nice, system, _idle, _wait, irq, softirq, *_ = map(int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:])
    return (user + nice + system + irq + softirq) / _TICKS


def _own() -> float:
    """Of this process, of its children that have ended, and of those that run."""
    times = os.times()
    children = [int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()]
    return times.user + times.system + times.children_user + times.children_system + sum(map(cpu_seconds, children))
