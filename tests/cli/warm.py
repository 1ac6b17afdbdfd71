"""Starting `kubectl jit` without waiting for its imports: in forks of a parent that has them (tests/cli/parent.py).

A child is a process of its own, with its own words, environment, streams and signals; tests/cli/test_warm.py compares it with a
program. What is decided when an interpreter starts is not a child's own, so what tests that starts a program.
"""

import contextlib
import json
import os
import select
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from team import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
_OF_THE_INTERPRETER = ("PYTHON", "LC_", "LANG")
_SAME = "PYTHONPATH"  # which leads to the same checkout for everybody


class Parent:
    """A running parent."""

    def __init__(self) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = os.pathsep.join([str(ROOT / "operator"), os.environ.get("PYTHONPATH", "")])
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("parent.py")), str(theirs.fileno())],
                env={"PATH": os.environ["PATH"], "HOME": "/dev/null", "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def fork(
        self, code: str, args: Sequence[str], env: Mapping[str, str], streams: tuple[int, int, int], *, leads: bool = False
    ) -> "Warm":
        """Start a child that runs this code with these words; `leads`: in a session of its own."""
        hostile = [name for name in env if name.startswith(_OF_THE_INTERPRETER) and name != _SAME]
        assert not hostile, f"{hostile} are read when an interpreter starts: start a program"
        words = {"code": code, "args": list(args), "env": dict(env), "cwd": str(Path.cwd()), "leads": leads}
        report, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._control, [json.dumps(words).encode()], [*streams, theirs.fileno()])
        return Warm(args, report)

    def end(self) -> None:
        """End it, and what it still runs."""
        self._control.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()


class Warm:
    """A child, to be waited for like a program."""

    def __init__(self, args: Sequence[str], report: socket.socket) -> None:
        self._args, self._report = args, report
        self.returncode: int | None = None
        self.pid = self._told("pid", PATIENCE)

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit code; TimeoutExpired after that many seconds."""
        if self.returncode is None:
            self.returncode = self._told("code", timeout)
            self._report.close()
        return self.returncode

    @property
    def running(self) -> bool:
        """Whether its end has not been reported yet."""
        return self.returncode is None and not select.select([self._report], [], [], 0)[0]

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it, and wait for that."""
        self.kill()
        self.wait(PATIENCE)

    def _told(self, what: str, timeout: float) -> int:
        self._report.settimeout(max(timeout, 0.001))
        try:
            said = self._report.recv(4096)
        except TimeoutError:
            raise subprocess.TimeoutExpired(list(self._args), timeout) from None
        assert said, "the parent of the warm plugins has ended"
        told: dict[str, int] = json.loads(said)
        assert what in told, f"it ended before it began: {told}"
        return told[what]


class Started:
    """A child whose output is read, like that of a Popen with pipes and text."""

    def __init__(self, parent: Parent, code: str, args: Sequence[str], env: Mapping[str, str]) -> None:
        self._args = args
        (self._stdout, out), (self._stderr, err) = _pipe(), _pipe()
        self._said: dict[int, bytes] = {self._stdout.fileno(): b"", self._stderr.fileno(): b""}
        with contextlib.ExitStack() as unread, Path(os.devnull).open("rb") as nothing, out, err:
            unread.enter_context(self._stdout)
            unread.enter_context(self._stderr)
            self._child = parent.fork(code, args, env, (nothing.fileno(), out.fileno(), err.fileno()))
            unread.pop_all()

    @property
    def pid(self) -> int:
        """Its process."""
        return self._child.pid

    @property
    def returncode(self) -> int:
        """Its exit code, once that was waited for."""
        assert self._child.returncode is not None, "nobody has waited for it"
        return self._child.returncode

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._child.running

    def expect(self, words: str, timeout: float = PATIENCE) -> None:
        """Read until it has said these words, while it runs."""
        reading = self._reading(time.monotonic() + timeout, timeout)
        while words.encode() not in b"\n".join(self._said.values()):
            assert next(reading, None), f"it ended without {words!r}, and said: {self._said}"

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Read all that it says, as text, and wait for its end; after that many seconds it is killed: TimeoutExpired."""
        out, err = self.output(timeout)
        return _text(out), _text(err)

    def output(self, timeout: float) -> tuple[bytes, bytes]:
        """The same as the bytes that they are."""
        deadline = time.monotonic() + timeout
        try:
            for _ in self._reading(deadline, timeout):
                pass
            self._child.wait(max(deadline - time.monotonic(), PATIENCE))
        finally:
            self.close()
        out, err = self._said.values()
        return out, err

    def close(self) -> None:
        """End it, if it runs, and read no more."""
        self._child.close()
        self._stdout.close()
        self._stderr.close()

    def _reading(self, deadline: float, timeout: float) -> Iterator[dict[int, bytes]]:
        """What it has said so far, after each piece; TimeoutExpired if there is more to come at the deadline."""
        with selectors.DefaultSelector() as selector:
            for descriptor in self._said:
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(deadline - time.monotonic())
                if not ready and time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired(list(self._args), timeout)
                for key, _ in ready:
                    chunk = os.read(key.fd, 65536)
                    self._said[key.fd] += chunk
                    if not chunk:
                        selector.unregister(key.fd)
                yield self._said


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    reads, writes = os.pipe()
    return os.fdopen(reads, "rb", 0), os.fdopen(writes, "wb", 0)


def _text(said: bytes) -> str:
    return said.decode().replace("\r\n", "\n").replace("\r", "\n")


_parents: list[Parent] = []  # of this process: none or one


def parent() -> Parent:
    """The parent of this process, started when it is first needed."""
    if not _parents:
        _parents.append(Parent())
    return _parents[0]


def end() -> None:
    """End it, if there is one."""
    while _parents:
        _parents.pop().end()
