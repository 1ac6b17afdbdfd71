import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from controlplane import ControlPlaneError, Process, ProcessDied
from controlplane.errors import AddressInUse
from controlplane.patience import PATIENCE

COUNT = "import itertools, time\nfor n in itertools.count():\n    print(n, flush=True); time.sleep(0.02)"


def python(tmp_path: Path, code: str) -> Process:
    return Process("sample", [sys.executable, "-u", "-c", code], tmp_path / "log")


def stopped(process: Process) -> bool:
    shown = subprocess.run(["ps", "-o", "stat=", "-p", str(process.pid)], capture_output=True, text=True, check=True)
    return shown.stdout.startswith("T")


def test_output_and_exit_code_are_kept(tmp_path: Path) -> None:
    process = python(tmp_path, "print('hello'); raise SystemExit(3)").start()
    assert process.wait(PATIENCE) == 3
    assert process.log_tail() == "hello"


def test_the_environment_and_directory_are_the_callers(tmp_path: Path) -> None:
    process = Process(
        "env",
        ["/bin/sh", "-c", 'pwd; echo "$WORD"'],
        tmp_path / "log",
        env={"WORD": "x"},
        cwd=tmp_path,
    )
    process.start().wait(PATIENCE)
    assert process.log_tail() == f"{tmp_path.resolve()}\nx"


def test_a_paused_process_does_nothing_and_then_goes_on(tmp_path: Path, eventually: Callable[..., bool]) -> None:
    with python(tmp_path, COUNT) as process:
        assert eventually(lambda: len(process.output()) > 0)
        process.pause()
        assert eventually(lambda: stopped(process))
        frozen = process.output()
        assert not eventually(lambda: process.output() != frozen, timeout=0.5)
        process.resume()
        assert eventually(lambda: process.output() != frozen)


def test_a_paused_process_can_be_ended(tmp_path: Path) -> None:
    process = python(tmp_path, COUNT).start()
    process.pause()
    assert process.terminate() == -15


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path, eventually: Callable[..., bool]) -> None:
    code = "import signal, time\nsignal.signal(15, signal.SIG_IGN); print('up'); time.sleep(600)"
    process = python(tmp_path, code).start()
    assert eventually(lambda: "up" in process.output())
    assert process.terminate(timeout=0.3) == -9


def test_its_children_end_with_it(tmp_path: Path, eventually: Callable[..., bool]) -> None:
    code = "import subprocess, time\nprint(subprocess.Popen(['sleep', '600']).pid); time.sleep(600)"
    process = python(tmp_path, code).start()
    assert eventually(lambda: process.output().endswith("\n"))
    child = int(process.output())
    process.kill()
    shown = ["ps", "-o", "stat=", "-p", str(child)]
    assert eventually(lambda: subprocess.run(shown, capture_output=True, text=True, check=False).stdout.strip()[:1] in ("", "Z"))


def test_it_can_be_started_again_and_shows_only_the_new_output(tmp_path: Path) -> None:
    process = python(tmp_path, "print('one line')")
    for _ in range(2):
        process.start().wait(PATIENCE)
        assert process.output() == "one line\n"
    assert process.log.read_text() == "one line\n" * 2


def test_a_death_before_it_is_ready_shows_the_last_words(tmp_path: Path) -> None:
    process = python(tmp_path, "raise SystemExit('no such flag')").start()
    with pytest.raises(ProcessDied, match=r"exit code 1[\s\S]*no such flag"):
        process.wait_until(lambda: False)


def test_a_taken_port_is_an_error_of_its_own(tmp_path: Path) -> None:
    process = python(tmp_path, "raise SystemExit('bind: address already in use')").start()
    with pytest.raises(AddressInUse):
        process.wait_until(lambda: False)


def test_one_that_never_gets_ready_is_reported_in_time(tmp_path: Path) -> None:
    with (
        python(tmp_path, COUNT) as process,
        pytest.raises(ControlPlaneError, match="not ready after 0 s"),
    ):
        process.wait_until(lambda: False, timeout=0.2)


def test_a_signal_to_one_that_ended_is_an_error_but_ending_it_twice_is_not(tmp_path: Path) -> None:
    process = python(tmp_path, "").start()
    process.wait(PATIENCE)
    with pytest.raises(ControlPlaneError, match="not running"):
        process.pause()
    process.kill()
    assert process.terminate() == 0


def test_a_program_that_does_not_exist_is_reported(tmp_path: Path) -> None:
    process = Process("absent", ["/does/not/exist"], tmp_path / "log").start()
    with pytest.raises(ProcessDied, match="/does/not/exist"):
        process.wait_until(lambda: False)
