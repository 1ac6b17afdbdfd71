"""The parent of warm plugins: it has imported all of `kubectl jit` once, and forks a child for each call that it is sent.

A program for tests/cli/warm.py, with the number of the socket on which it is called. It ends when the other end of that is
closed, and its children with it.
"""

import atexit
import contextlib
import gc
import importlib
import io
import json
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, TextIO

LARGEST = 1 << 20  # bytes of a call, a command line and an environment: more than a socket takes at once
STREAMS = 3
# What the interpreter itself puts into its environment when it starts without a locale, as everything does in our tests.
COERCED = "LC_CTYPE"


@dataclass(frozen=True)
class Call:
    """What a child is to be: its words, what it starts with, and where it reports that it has begun."""

    words: dict[str, Any]
    descriptors: list[int]
    report: socket.socket


class Parent:
    """Its children that still run, each with the socket on which its end is reported."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._running: dict[int, socket.socket] = {}
        self._woken, self._wakes = os.pipe()
        for end in (self._woken, self._wakes):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._wakes)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # pressed in the terminal of the test run, which ends us by itself

    def call(self) -> Call | None:
        """Fork for each call; returns in every child, with its call, and with None when nobody calls any more."""
        while True:
            ready, _, _ = select.select([self._control.fileno(), self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, LARGEST)
                self._reap()
            if self._control.fileno() in ready:
                call = self._received()
                if call is None:
                    self._end()
                if call is None or self._forked(call):
                    return call

    def _received(self) -> Call | None:
        message, descriptors, _, _ = socket.recv_fds(self._control, LARGEST, STREAMS + 1)
        if not message:
            return None
        return Call(json.loads(message), descriptors[:STREAMS], socket.socket(fileno=descriptors[STREAMS]))

    def _forked(self, call: Call) -> bool:
        """Fork; whether this is the child, which holds nothing of its parent any more."""
        pid = os.fork()
        if pid:
            self._running[pid] = call.report
            for descriptor in call.descriptors:
                os.close(descriptor)
            return False
        signal.set_wakeup_fd(-1)
        for each in (self._control, *self._running.values()):
            each.close()
        for descriptor in (self._woken, self._wakes):
            os.close(descriptor)
        return True

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            with self._running.pop(pid) as report, contextlib.suppress(OSError):  # nobody may wait for it any more
                report.send(json.dumps({"code": os.waitstatus_to_exitcode(status)}).encode())

    def _end(self) -> None:
        for pid in self._running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def become(call: Call) -> None:
    """Be the process that was called for, as an interpreter that has just started."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if call.words["leads"]:
        os.setsid()
    os.chdir(call.words["cwd"])
    coerced = {COERCED: os.environ[COERCED]} if COERCED in os.environ else {}
    os.environ.clear()  # in place: libraries keep hold of it
    os.environ.update(call.words["env"] | coerced)
    time.tzset()
    for standard, descriptor in enumerate(call.descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    sys.stdin = sys.__stdin__ = stream(0, "r", "<stdin>", sys.stdin)  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stream(1, "w", "<stdout>", sys.stdout)  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = stream(2, "w", "<stderr>", sys.stderr)  # type: ignore[misc]
    sys.argv = ["-c", *call.words["args"]]
    with call.report:
        call.report.send(json.dumps({"pid": os.getpid()}).encode())


def stream(descriptor: int, mode: str, name: str, like: TextIO) -> io.TextIOWrapper:
    """A standard stream as the interpreter opens it, which looks whether there is a terminal."""
    buffer = open(descriptor, f"{mode}b", closefd=False)  # noqa: SIM115 (a descriptor that stays open)
    buffer.raw.name = name  # type: ignore[attr-defined]
    lines = descriptor == sys.__stderr__.fileno() or os.isatty(descriptor)  # type: ignore[union-attr]
    made = io.TextIOWrapper(buffer, like.encoding, like.errors, newline="\n", line_buffering=lines)
    made.mode = mode  # type: ignore[misc]
    return made


def warmed(package: str) -> None:
    """Import all of a package, and what it needs."""
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, f"{package}."):
        importlib.import_module(module.name)
    assert threading.active_count() == 1, "a fork has but one thread"
    gc.collect()
    gc.freeze()  # what is here already is no garbage of a child's


def run(code: str) -> None:
    """Run it as `python -c` does. After sys.exit(), all is done that somebody could see; modules are not torn down one by one."""
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit((end.code or 0) & 0xFF)


if __name__ == "__main__":
    sys.path[0] = ""  # as for -c
    warmed("jitaccess.cli")
    called = Parent(socket.socket(fileno=int(sys.argv[1]))).call()
    if called:
        become(called)
        run(called.words["code"])
