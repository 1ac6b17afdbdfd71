"""Running `kubectl jit` as its users do: as one of the people of the tests, at a terminal or in a script.

It runs warm, which spares its imports (tests/cli/warm.py). Where the start itself matters a test names PLUGIN, the program.
It waits for the operator as long as our tests wait for anything, since what it says when it has seen nothing for some seconds is
right too. Where that is what a test is about, the plugin is HASTY, as its users have it.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cli.warm import Started, Warm, parent
from team import PATIENCE, Team

ROOT = Path(__file__).resolve().parents[2]
MAIN = "from jitaccess.cli import main; main()"
PATIENT = f"""
from jitaccess.cli.commands import effect, reporting
effect._PATIENCE = reporting._AT_ONCE = {PATIENCE}
{MAIN}
"""
# With a clock that only moves where the plugin sleeps, as between two attempts: a --timeout is over after so many of them.
SLEEPLESS = f"""
import time
now = [1000.0]
def sleep(seconds):
    now[0] += seconds
time.monotonic, time.sleep = lambda: now[0], sleep
{MAIN}
"""
# With a clock that stands still until there is a file: until then no --timeout is over.
HELD = f"""
import os, time
time.monotonic = lambda: 1000.0 + 10 * os.path.exists(os.environ["OVER"])
{MAIN}
"""
COMPLETE = "from jitaccess.cli import complete; complete()"
WARM = "warm"  # in the place of an interpreter
PLUGIN = (sys.executable, "-c", MAIN)
HASTY = (WARM, "-c", MAIN)
WARM_PLUGIN = (WARM, "-c", PATIENT)
COMPLETER = (WARM, "-c", COMPLETE)
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07)")


@dataclass(frozen=True)
class Answer:
    """What a run of the plugin printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Plugin:
    """The plugin for the people of one team."""

    team: Team
    program: Sequence[str] = WARM_PLUGIN

    def environment(self, user: str, **more: str) -> dict[str, str]:
        """The environment of that person, whose context names the team's namespace."""
        kubeconfig = self.team.plane.kubeconfig(user, namespace=self.team.namespace)
        path = os.pathsep.join([str(ROOT / "operator"), os.environ.get("PYTHONPATH", "")])
        return {
            "PATH": os.environ["PATH"],
            "HOME": "/dev/null",
            "KUBECONFIG": str(kubeconfig),
            "PYTHONPATH": path,
            "TZ": "UTC",
            **more,
        }

    def __call__(self, *args: str, user: str = "alice", program: Sequence[str] = (), **env: str) -> Answer:
        """Run it in a script, where there is no terminal."""
        return run([*(program or self.program), *args], self.environment(user, **env))

    def start(self, *args: str, user: str = "alice", code: str = "", **env: str) -> Started:
        """Start it warm, to run beside others."""
        return opened(Started(parent(), code or self.program[2], args, self.environment(user, **env)))

    def at_terminal(self, *args: str, user: str = "alice", columns: int = 80, **env: str) -> "Terminal":
        """Run it at a terminal of that width."""
        return Terminal([*self.program, *args], self.environment(user, TERM="xterm-256color", **env), columns)

    def ok(self, *args: str, user: str = "alice") -> str:
        """Run it in a script, where it must succeed; returns what it printed."""
        answer = self(*args, user=user)
        assert answer.code == 0, answer
        return answer.out

    def offered(self, *words: str, user: str = "alice") -> list[str]:
        """What the shell offers after these words, each with its description behind a tab."""
        answer = self(*words, user=user, program=COMPLETER)
        *lines, directive = answer.out.splitlines()
        assert (answer.code, directive) == (0, ":4"), answer
        return lines

    def asked(self, *args: str, user: str = "alice") -> str:
        """Make a request and return its name."""
        return (
            self.ok("request", *args, "--reason", "INC-42 pods crash looping", "-o", "name", user=user).strip().partition("/")[2]
        )


def run(argv: Sequence[str], env: Mapping[str, str]) -> Answer:
    """Run a program, or the plugin warm, in a script."""
    if argv[0] == WARM:
        started = opened(Started(parent(), argv[2], argv[3:], env))
        out, err = started.communicate(2 * PATIENCE)
        return Answer(started.returncode, out, err)
    done = subprocess.run(
        argv, env=env, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=2 * PATIENCE, check=False
    )
    return Answer(done.returncode, done.stdout, done.stderr)


class Terminal:
    """A program, or the plugin warm, at a pseudo-terminal."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], columns: int) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._process = _at(follower, argv, env)
        os.close(follower)
        opened(self)
        self.raw = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may come in two pieces
        self._read_to = 0

    @property
    def seen(self) -> str:
        """What was printed so far, without colours and cursor movements."""
        return _ESCAPES.sub("", self.raw).replace("\r\n", "\n")

    def expect(self, words: str, timeout: float = PATIENCE) -> str:
        """Wait until these words were printed."""
        deadline = time.monotonic() + timeout
        while words not in self.seen:
            assert time.monotonic() < deadline, f"expected {words!r}, saw: {self.seen}"
            assert self._read(), f"it ended without {words!r}, and said: {self.seen}"
        return self.seen

    def expect_again(self, words: str, timeout: float = PATIENCE) -> None:
        """Wait until these words were printed once more than they were waited for before."""
        deadline = time.monotonic() + timeout
        while words not in self.seen[self._read_to :]:
            assert time.monotonic() < deadline, f"expected {words!r} again, saw: {self.seen}"
            assert self._read(), f"it ended without {words!r} again, and said: {self.seen}"
        self._read_to = self.seen.index(words, self._read_to) + len(words)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self._leader, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        os.write(self._leader, b"\x03")
        os.kill(self._process.pid, 2)  # the pseudo-terminal is nobody's controlling terminal

    def end(self, timeout: float = PATIENCE) -> int:
        """Wait for the end and return the exit code."""
        deadline = time.monotonic() + timeout
        while self._read():
            assert time.monotonic() < deadline, f"it does not end, and said: {self.seen}"
        code = self._process.wait(PATIENCE)
        self.close()
        return code

    def close(self) -> None:
        """End the program, if it runs, and take the terminal away."""
        if self._leader < 0:
            return
        self._process.kill()
        self._process.wait(PATIENCE)
        os.close(self._leader)
        self._leader = -1

    def _read(self) -> bool:
        """Read what is there; whether the program may have more to say."""
        if not select.select([self._leader], [], [], 0.2)[0]:
            return True
        try:
            chunk = os.read(self._leader, 65536)
        except OSError:  # the other end is closed
            return False
        self.raw += self._decoder.decode(chunk)
        return bool(chunk)


T = TypeVar("T", "Terminal", Started)
_opened: list[Terminal | Started] = []


def opened(it: T) -> T:
    """Note what is to be closed at the end of the test, however it ends."""
    _opened.append(it)
    return it


def close_all() -> None:
    """Close what the test has left open."""
    while _opened:
        _opened.pop().close()


def _at(terminal: int, argv: Sequence[str], env: Mapping[str, str]) -> "subprocess.Popen[bytes] | Warm":
    if argv[0] == WARM:
        return parent().fork(argv[2], argv[3:], env, (terminal, terminal, terminal), leads=True)
    return subprocess.Popen(argv, env=env, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
