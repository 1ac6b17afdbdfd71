"""Starting `kubectl jit` without waiting for its imports: in forks of a parent that has them (tests/cli/parent.py).

A child is a process of its own, with its own words, environment, streams and signals; tests/cli/test_warm.py compares it with a
program. What is decided when an interpreter starts is not a child's own, so what tests that starts a program.
"""

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TextIO

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

    def kill(self) -> None:
        """End it, whatever it does."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

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
        (self.stdout, out), (self.stderr, err) = _pipe(), _pipe()
        with contextlib.ExitStack() as unread, Path(os.devnull).open("rb") as nothing, out, err:
            unread.enter_context(self.stdout)
            unread.enter_context(self.stderr)
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

    def communicate(self, timeout: float) -> tuple[str, str]:
        """Read all that it says, as text, and wait for its end; after that many seconds it is killed: TimeoutExpired."""
        out, err = self.output(timeout)
        return _text(out), _text(err)

    def output(self, timeout: float) -> tuple[bytes, bytes]:
        """The same as the bytes that they are."""
        deadline = time.monotonic() + timeout
        try:
            with self.stdout, self.stderr:
                said = self._read(deadline, timeout)
            self._child.wait(deadline - time.monotonic())
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(PATIENCE)
            raise
        return said

    def _read(self, deadline: float, timeout: float) -> tuple[bytes, bytes]:
        said: dict[int, list[bytes]] = {self.stdout.fileno(): [], self.stderr.fileno(): []}
        with selectors.DefaultSelector() as selector:
            for descriptor in said:
                selector.register(descriptor, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(deadline - time.monotonic())
                if not ready and time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired(list(self._args), timeout)
                for key, _ in ready:
                    chunk = os.read(key.fd, 65536)
                    said[key.fd].append(chunk)
                    if not chunk:
                        selector.unregister(key.fd)
        out, err = (b"".join(chunks) for chunks in said.values())
        return out, err


def _pipe() -> tuple[TextIO, BinaryIO]:
    reads, writes = os.pipe()
    return os.fdopen(reads, encoding="utf-8"), os.fdopen(writes, "wb", 0)


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
