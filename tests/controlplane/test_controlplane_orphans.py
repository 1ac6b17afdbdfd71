"""Whatever a run started ends with the run, however the run ends."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SLEEPER = """\
import os, sys, time
from pathlib import Path
from controlplane import Process
from controlplane.guard import guard
scratch = Path(sys.argv[1]) / "scratch"
(scratch / "deep").mkdir(parents=True)
guard().tell("watch", str(scratch))
sleeper = Process("sleeper", ["sleep", "600"], Path(sys.argv[1]) / "log").start()
paused = Process("paused", ["sleep", "600"], Path(sys.argv[1]) / "log").start()
paused.pause()
"""
WAIT = "print(sleeper.pid, paused.pid, guard().pid, flush=True)\ntime.sleep(600)"
FORKED = "child = os.fork()\nif not child: time.sleep(600)\nprint(child, end=' ')\n" + WAIT
PLANE = """\
import time
from controlplane import ControlPlane
plane = ControlPlane().start()
print(*[process.pid for process in plane.processes.values()], plane.files.root, flush=True)
time.sleep(600)
"""


STARTED: list[subprocess.Popen[str]] = []


@pytest.fixture(autouse=True)
def pipes_are_closed() -> Iterator[None]:
    """Close the pipes of what a test started."""
    yield
    while STARTED:
        run = STARTED.pop()
        run.kill()
        run.wait()
        if run.stdout:
            run.stdout.close()


def start(code: str, tmp_path: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[str], list[str]]:
    run = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    STARTED.append(run)
    assert run.stdout is not None
    return run, run.stdout.readline().split()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name)
def test_processes_directories_and_the_guard_itself_end(
    number: signal.Signals,
    tmp_path: Path,
    run_environment: dict[str, str],
    eventually: Callable[..., bool],
    gone: Callable[[int], bool],
) -> None:
    run, pids = start(SLEEPER + WAIT, tmp_path, run_environment)
    assert not any(gone(int(pid)) for pid in pids)
    run.send_signal(number)
    run.wait()
    assert eventually(lambda: all(gone(int(pid)) for pid in pids))
    assert not (tmp_path / "scratch").exists()


def test_a_forked_child_that_holds_the_pipe_open_changes_nothing(
    tmp_path: Path,
    run_environment: dict[str, str],
    eventually: Callable[..., bool],
    gone: Callable[[int], bool],
) -> None:
    run, (forked, *pids) = start(SLEEPER + FORKED, tmp_path, run_environment)
    try:
        run.kill()
        run.wait()
        assert not gone(int(forked))
        assert eventually(lambda: all(gone(int(pid)) for pid in pids))
    finally:
        subprocess.run(["kill", "-9", forked], check=True)


def test_a_run_that_simply_ends_leaves_nothing(
    tmp_path: Path,
    run_environment: dict[str, str],
    eventually: Callable[..., bool],
    gone: Callable[[int], bool],
) -> None:
    run, pids = start(SLEEPER + WAIT.replace("600", "0"), tmp_path, run_environment)
    assert run.wait() == 0
    assert eventually(lambda: all(gone(int(pid)) for pid in pids))


def test_of_a_guard_that_outlives_its_run_nobody_warns(run_environment: dict[str, str]) -> None:
    code = "import os\nfrom controlplane.guard import guard\nguard()\nif not os.fork():\n    guard()\nelse:\n    os.wait()\n"
    argv = [sys.executable, "-W", "default", "-c", code]
    done = subprocess.run(argv, env=run_environment, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.stdout == b""


def test_a_whole_control_plane_ends_with_a_run_that_is_killed(
    tmp_path: Path,
    run_environment: dict[str, str],
    eventually: Callable[..., bool],
    gone: Callable[[int], bool],
) -> None:
    run, (*pids, root) = start(PLANE, tmp_path, run_environment)
    assert len(pids) == 3
    run.kill()
    run.wait()
    assert eventually(lambda: all(gone(int(pid)) for pid in pids))
    assert eventually(lambda: not Path(root).exists())
