"""The machine: what it is, what else runs on it, and what a process uses, from /proc."""

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

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
