import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from controlplane import ControlPlane, User
from controlplane.patience import PATIENCE

ODD_NAMES = {
    "comma-and-quote": 'we"ird, name',
    "colon-and-space": "bob: x",
    "newline": "bob\ncarol: forged",
    "tab-and-return": "a\tb\rc",
    "not-ascii": "æøå 😀 \u202e",
    "253-characters": "x" * 253,
    "path": "../../etc/passwd",
    "yaml": "{a: &b [*c]} # d",
    "prefix-of-another": "alic",
}


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    odd = [User(name, ("developers",)) for name in ODD_NAMES.values()]
    with ControlPlane(audit=True, users=[*odd, User("dave", ("two words", 'q"uote'), uid="u-1")]) as plane:
        yield plane


@pytest.fixture(params=[*ODD_NAMES.values()], ids=[*ODD_NAMES])
def odd_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Tells whether a process has ended; a zombie that nobody waits for has."""

    def look(pid: int) -> bool:
        shown = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return shown.stdout.strip()[:1] in ("", "Z")

    return look


class Eventually(Protocol):
    def __call__(self, true: Callable[[], bool], timeout: float = PATIENCE) -> bool: ...


@pytest.fixture
def eventually() -> Eventually:
    """Waits up to `timeout` seconds for something to become true, and returns whether it did."""

    def wait(true: Callable[[], bool], timeout: float = PATIENCE) -> bool:
        deadline = time.monotonic() + timeout
        while not (now := true()) and time.monotonic() < deadline:
            time.sleep(0.05)
        return now

    return wait


@pytest.fixture
def run_environment() -> dict[str, str]:
    """The environment in which a Python of its own finds the package."""
    local = Path(__file__).resolve().parents[2] / "deploy" / "local"
    return {**os.environ, "PYTHONPATH": str(local)}
