"""Running `kubectl jit` as its users do: as a program, as one of the people of the tests, at a terminal or in a script."""

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

from team import PATIENCE, Team

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = (sys.executable, "-c", "from jitaccess.cli import main; main()")
COMPLETER = (sys.executable, "-c", "from jitaccess.cli import complete; complete()")
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

    def __call__(self, *args: str, user: str = "alice", program: Sequence[str] = PLUGIN, **env: str) -> Answer:
        """Run it in a script, where there is no terminal."""
        done = subprocess.run(
            [*program, *args],
            env=self.environment(user, **env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=2 * PATIENCE,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def start(self, *args: str, user: str = "alice") -> subprocess.Popen[str]:
        """Start it, to run beside others."""
        return subprocess.Popen(
            [*PLUGIN, *args],
            env=self.environment(user),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def at_terminal(self, *args: str, user: str = "alice", columns: int = 80, **env: str) -> "Terminal":
        """Run it at a terminal of that width."""
        return Terminal([*PLUGIN, *args], self.environment(user, TERM="xterm-256color", **env), columns)

    def ok(self, *args: str, user: str = "alice") -> str:
        """Run it in a script, where it must succeed; returns what it printed."""
        answer = self(*args, user=user)
        assert answer.code == 0, answer
        return answer.out

    def asked(self, *args: str, user: str = "alice") -> str:
        """Make a request and return its name."""
        return (
            self.ok("request", *args, "--reason", "INC-42 pods crash looping", "-o", "name", user=user).strip().partition("/")[2]
        )


class Terminal:
    """A program at a pseudo-terminal."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], columns: int) -> None:
        self._leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self._process = subprocess.Popen(
            argv, env=dict(env), stdin=follower, stdout=follower, stderr=follower, start_new_session=True
        )
        os.close(follower)
        self.raw = ""
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
        os.close(self._leader)
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        """Read what is there; whether the program may have more to say."""
        if not select.select([self._leader], [], [], 0.2)[0]:
            return True
        try:
            chunk = os.read(self._leader, 65536)
        except OSError:  # the other end is closed
            return False
        self.raw += chunk.decode(errors="replace")
        return bool(chunk)
