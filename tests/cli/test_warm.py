"""The plugin that runs warm is the program: the same bytes, exit codes, signals, and surroundings for what it starts."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.hostile import SECRET, Hostile, Reply, access, as_json, status, whoami
from cli.plugin import COMPLETE, HASTY, MAIN, PLUGIN, ROOT, WARM, Terminal, opened
from cli.warm import Started, Warm, parent
from team import PATIENCE

Said = tuple[int, bytes, bytes]
TIMES = re.compile(r"(?m)^\d\d:\d\d:\d\d|\d+d\d+h")  # that differ by when it was said
REDRAWN = re.compile(r"\r\x1b\[2K(?:\x1b\[1A\x1b\[2K)*")  # the cursor goes back to where the last drawing began
CLOCK = re.compile(TIMES.pattern.encode())

ACCESS = access(reason="für Zoë 日本語 [bold]x[/bold], " + "long " * 40)


def answers(_method: str, path: str, _headers: Mapping[str, str]) -> Reply:
    """An API server with one request of alice's, on which nothing happens."""
    if "watch=true" in path:
        return Reply(200, b"", delay=1)
    if path.partition("?")[0].endswith("/alice-7f3k"):
        return as_json(ACCESS)
    if path.endswith("/accesspolicies/debug"):
        return status(404, "NotFound", "there is none")
    items = [ACCESS] if "/accessrequests" in path else []
    return whoami(path) or as_json({"kind": "List", "items": items, "metadata": {"resourceVersion": "9"}})


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home directory whose kubeconfig leads there."""
    with Hostile(answers) as server:
        server.kubeconfig(tmp_path)
        yield tmp_path


def environment(home: Path, **more: str) -> dict[str, str]:
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "PYTHONPATH": str(ROOT / "operator")} | {
        "KUBECONFIG": str(home / "config"),
        "TZ": "UTC",
        **more,
    }


def cold(code: str, args: list[str], env: dict[str, str]) -> Said:
    done = subprocess.run(
        [sys.executable, "-c", code, *args],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def warm(code: str, args: list[str], env: dict[str, str]) -> Said:
    started = opened(Started(parent(), code, args, env))
    out, err = started.output(PATIENCE)
    return started.returncode, out, err


STREAMS = """
import sys
for each in (sys.stdin, sys.stdout, sys.stderr, sys.__stdin__, sys.__stdout__, sys.__stderr__):
    print(each, each.errors, each.line_buffering, each.write_through, each.isatty(), each.fileno(), file=sys.stderr)
"""
PERIOD = ["--since", "2026-05-01", "--until", "2026-07-01"]
CALLS = [
    pytest.param(MAIN, ["--help"], {"COLUMNS": "70"}, 0, b"Usage: kubectl jit", id="help"),
    pytest.param(MAIN, [], {}, 0, b"kubectl jit review", id="first-words"),
    pytest.param(MAIN, ["sho"], {}, 2, b"did you mean show?", id="a-usage-error"),
    pytest.param(MAIN, ["ls", "--kubeconfig", "none"], {}, 1, b"there is no kubeconfig none", id="an-error"),
    pytest.param(MAIN, ["ls", "--all"], {}, 0, "日本語".encode(), id="a-table"),
    pytest.param(MAIN, ["show", "alice-7f3k"], {"TZ": "Asia/Kathmandu"}, 0, b" 05:45", id="times-of-a-place"),
    pytest.param(MAIN, ["export", *PERIOD], {}, 0, b"namespace,name,uid", id="a-record"),
    pytest.param(MAIN, ["ls", "--all", "-o", "yaml"], {}, 0, "Zoë".encode(), id="yaml"),
    pytest.param(MAIN, ["watch", "--all", "--timeout", "1s"], {}, 0, b"Active", id="a-list-for-a-while"),
    pytest.param(MAIN, ["completion", "zsh"], {}, 0, b"_KUBECTL_JIT_COMPLETE", id="a-script-for-the-shell"),
    pytest.param(
        MAIN,
        [],
        {"_KUBECTL_JIT_COMPLETE": "bash_complete", "COMP_WORDS": "kubectl-jit show al", "COMP_CWORD": "2"},
        0,
        b"plain,alice-7f3k",
        id="the-shell-completes",
    ),
    pytest.param(COMPLETE, ["show", ""], {}, 0, b"alice-7f3k", id="kubectl-completes"),
    pytest.param("print('x' * 9); raise SystemExit('no')", [], {}, 1, b"no\n", id="an-end-with-words"),
    pytest.param("import sys; print(sys.argv); 1 / 0", ["a b"], {}, 1, b"['-c', 'a b']", id="an-exception"),
    pytest.param(STREAMS, [], {}, 0, b"<stdin>", id="the-streams"),
    pytest.param("raise KeyboardInterrupt", [], {}, -signal.SIGINT, b"KeyboardInterrupt", id="an-interrupt-that-nobody-takes"),
    pytest.param("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", [], {}, -signal.SIGTERM, b"", id="a-signal"),
]


@pytest.mark.parametrize(("code", "args", "env", "ends", "says"), CALLS)
def test_a_script_sees_no_difference(home: Path, code: str, args: list[str], env: dict[str, str], ends: int, says: bytes) -> None:
    one, other = cold(code, args, environment(home, **env)), warm(code, args, environment(home, **env))
    assert one[0] == ends, one
    assert says in one[1] + one[2]
    assert timeless(without_our_frames(other)) == timeless(one)


def timeless(said: Said) -> Said:
    """Without the hour at which it was said."""
    code, out, err = said
    return code, CLOCK.sub(b"", out), CLOCK.sub(b"", err)


def without_our_frames(said: Said) -> Said:
    """A traceback begins with where the program was run from."""
    code, out, err = said
    kept: list[bytes] = []
    lines = iter(err.splitlines(keepends=True))
    for line in lines:
        if b"tests/cli/parent.py" in line:
            next(lines)
        else:
            kept.append(line)
    return code, out, b"".join(kept)


SURROUNDINGS = """#!/bin/sh
exec 1>&2
env | sort
grep -E '^(Sig|Shd|Umask|NSsid|NSpgid)' /proc/$$/status | grep -v SigQ
ls /proc/self/fd
pwd; ulimit -n
exit 3
"""


def test_what_the_plugin_starts_finds_the_same_surroundings(home: Path) -> None:
    """A login prints its environment, its signals and its descriptors."""
    script = home / "login.sh"
    script.write_text(SURROUNDINGS)
    script.chmod(0o700)
    login = f"exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: {script}\n  interactiveMode: Never"
    file = home / "config"
    file.write_text(file.read_text().replace(f"token: {SECRET}", login.replace("\n", "\n      ")))
    env = environment(home, ODD="a\tb", EMPTY="")
    one, other = cold(MAIN, ["ls"], env), warm(MAIN, ["ls"], env)
    assert b"ODD=a\tb" in one[2]
    assert b"SigIgn" in one[2]
    assert other == one


TERMINALS = [
    pytest.param(["ls", "--all"], {}, 80, 0, "\x1b[32mActive", id="a-table-in-colours"),
    pytest.param(["ls", "--all"], {}, 50, 0, "WHEN\x1b[0m\r\n", id="no-column-that-has-no-room"),
    pytest.param(["ls", "--all"], {"NO_COLOR": "1"}, 80, 0, "Active", id="without-colours"),
    pytest.param(["ls", "--all"], {"TERM": "dumb"}, 80, 0, "Active", id="a-dumb-terminal"),
    pytest.param(["ls", "--all"], {"COLORTERM": "truecolor"}, 80, 0, "Active", id="all-colours"),
    pytest.param(["ls", "--all"], {"COLUMNS": "60", "LINES": "9"}, 80, 0, "Active", id="a-width-that-is-said"),
    pytest.param(["show", "alice-7f3k"], {}, 60, 0, "日本語", id="wrapped"),
    pytest.param(["nope"], {}, 80, 2, "error: ", id="an-error"),
    pytest.param(["--help"], {}, 66, 0, "Usage", id="help"),
]


@pytest.mark.parametrize(("args", "env", "columns", "ends", "says"), TERMINALS)
def test_a_terminal_sees_no_difference(
    home: Path, args: list[str], env: dict[str, str], columns: int, ends: int, says: str
) -> None:
    seen: list[tuple[int, str]] = []
    for program in (PLUGIN, HASTY):
        terminal = Terminal([*program, *args], environment(home, **{"TERM": "xterm-256color"} | env), columns)
        seen.append((terminal.end(), TIMES.sub("", terminal.raw)))
    assert seen[0][0] == ends
    assert says in seen[0][1]
    assert seen[1] == seen[0]


def test_ctrl_c_ends_a_watch_at_a_terminal_alike(home: Path) -> None:
    seen: list[tuple[int, str]] = []
    for program in (PLUGIN, HASTY):
        terminal = Terminal([*program, "watch", "--all"], environment(home, TERM="xterm-256color"), 80)
        terminal.expect("Active")
        terminal.interrupt()
        seen.append((terminal.end(), TIMES.sub("", left_on_screen(terminal.raw))))
    assert seen[0][0] == 0
    assert "Active" in seen[0][1]
    assert seen[1] == seen[0]


def left_on_screen(raw: str) -> str:
    """What was drawn last: how often it was drawn before is a matter of time, and so is where a key that was pressed shows."""
    return REDRAWN.split(raw.replace("^C", ""))[-1]


@pytest.mark.parametrize(
    ("number", "ends"), [(signal.SIGINT, 0), (signal.SIGTERM, -signal.SIGTERM), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_a_signal_ends_a_watch_in_a_script_alike(home: Path, number: signal.Signals, ends: int) -> None:
    env, args = environment(home), ["watch", "--all"]
    seen: list[Said] = []
    for program in (PLUGIN, HASTY):
        reads, writes = os.pipe()
        with Path(os.devnull).open("rb") as nothing, (home / "err").open("wb") as err, os.fdopen(reads, "rb") as out:
            streams = (nothing.fileno(), writes, err.fileno())
            with launched([*program, *args], env, streams) as process:
                os.close(writes)
                said = out.readline()
                os.kill(process.pid, number)
                said += out.read()
                seen.append(timeless((process.wait(PATIENCE), said, (home / "err").read_bytes())))
    assert seen[0][0] == ends
    assert b"Active" in seen[0][1]
    assert seen[1] == seen[0]


@pytest.mark.parametrize("form", ["wide", "json"])
def test_a_reader_that_has_had_enough_sees_no_difference(home: Path, form: str) -> None:
    seen: list[tuple[int, bytes]] = []
    for program in (PLUGIN, HASTY):
        reads, writes = os.pipe()
        os.close(reads)
        with Path(os.devnull).open("rb") as nothing, (home / "err").open("wb") as err:
            streams = (nothing.fileno(), writes, err.fileno())
            with launched([*program, "ls", "--all", "-o", form], environment(home), streams) as process:
                os.close(writes)
                seen.append((process.wait(PATIENCE), (home / "err").read_bytes()))
    assert seen[1] == seen[0]


def test_one_that_takes_too_long_is_killed(home: Path) -> None:
    started = opened(Started(parent(), "import time; print('on', flush=True); time.sleep(600)", [], environment(home)))
    with pytest.raises(subprocess.TimeoutExpired):
        started.communicate(0.2)
    assert started.returncode == -signal.SIGKILL


def test_what_is_read_when_an_interpreter_starts_needs_a_program(home: Path) -> None:
    with pytest.raises(AssertionError, match="start a program"):
        Started(parent(), MAIN, [], environment(home, PYTHONUTF8="0"))


MARKS = """
import os, jitaccess
before = hasattr(jitaccess, "mark") or "MARK" in os.environ
jitaccess.mark, os.environ["MARK"] = 1, "1"
raise SystemExit(before)
"""


def test_calls_run_beside_each_other_and_share_nothing(home: Path) -> None:
    many = [opened(Started(parent(), MARKS, [], environment(home))) for _ in range(8)]
    assert len({each.pid for each in many}) == 8
    for each in many:
        each.communicate(PATIENCE)
    assert [each.returncode for each in many] == [0] * 8


RUN = """\
import os, time
from cli.warm import parent
parent().fork("import time; print('on', flush=True); time.sleep(600)", [], {}, (0, 1, 1))
os.close(1)
time.sleep(600)
"""


def test_a_run_that_is_killed_leaves_neither_parent_nor_child(home: Path) -> None:
    """The child holds its output open as long as it lives, and the parent its errors."""
    path = os.pathsep.join(str(ROOT / folder) for folder in ("tests", "deploy/local", "operator"))
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        env=environment(home, PYTHONPATH=path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as run:
        assert run.stdout
        said = run.stdout.readline()
        run.kill()
        assert said == b"on\n"
        assert run.communicate(timeout=PATIENCE) == (b"", b"")


@contextmanager
def launched(argv: list[str], env: dict[str, str], streams: tuple[int, int, int]) -> "Iterator[subprocess.Popen[bytes] | Warm]":
    """A program, or the plugin warm, that does not outlast the block."""
    process = _launched(argv, env, streams)
    try:
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)


def _launched(argv: list[str], env: dict[str, str], streams: tuple[int, int, int]) -> "subprocess.Popen[bytes] | Warm":
    if argv[0] == WARM:
        return parent().fork(argv[2], argv[3:], env, streams)
    stdin, stdout, stderr = streams
    return subprocess.Popen(argv, env=env, stdin=stdin, stdout=stdout, stderr=stderr)
