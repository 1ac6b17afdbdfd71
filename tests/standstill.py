"""Runs a command on a machine that stands still: all of its processes, at one moment, for a part of the time.

    python tests/standstill.py [--awake 0.3] [--still 0.7] COMMAND...

A test's verdict must be the same there: what fails only here depends on luck. No test of its own runs it: it makes everything
as slow as it says (make slow).
"""

import argparse
import ctypes
import os
import random
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path

_SET_CHILD_SUBREAPER = 36  # prctl(2): whoever loses its parent becomes ours, and is found and stopped like the others


class Tree:
    """The processes that a command has started, and theirs."""

    def __init__(self, command: list[str]) -> None:
        if ctypes.CDLL(None, use_errno=True).prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        self._root = os.posix_spawnp(command[0], command, os.environ)
        self._stopped: list[int] = []
        self.code: int | None = None

    def reap(self) -> None:
        """Wait for what has ended; the command's exit code is known then."""
        while self.code is None:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            if pid == self._root:
                self.code = os.waitstatus_to_exitcode(status)

    def stop(self) -> None:
        """Stop all that run; what somebody has stopped already stays theirs."""
        while fresh := [pid for pid, state in _descendants() if state not in "TtZX" and pid not in self._stopped]:
            for pid in fresh:  # parents first: who is stopped has no more children
                self._stopped.append(pid)
                _signal(pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let run again what was stopped."""
        while self._stopped:
            _signal(self._stopped.pop(), signal.SIGCONT)

    def end(self) -> None:
        """Ask the command to end."""
        _signal(self._root, signal.SIGTERM)


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it has ended meanwhile


def _descendants() -> list[tuple[int, str]]:
    """Each process below this one, with its state letter of proc(5), parents first."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue  # it has ended meanwhile
            children[int(parent)].append((int(entry.name), state))
    found = list(children[os.getpid()])
    for pid, _ in found:  # which grows meanwhile
        found.extend(children[pid])
    return found


def main() -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--awake", type=float, default=0.3, help="seconds, on average, until all stop (default: %(default)s)")
    parser.add_argument("--still", type=float, default=0.7, help="seconds, on average, until they go on (default: %(default)s)")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    words = parser.parse_args()
    if not words.command:
        parser.error("name the command to run")
    try:
        tree = Tree(words.command)
    except FileNotFoundError:
        parser.error(f"there is no program {words.command[0]}")
    signal.signal(signal.SIGTERM, lambda *_: tree.end())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command has it too, and ends by it
    while tree.code is None:
        time.sleep(random.uniform(0, 2 * words.awake))
        try:
            tree.stop()
            time.sleep(random.uniform(0, 2 * words.still))
        finally:
            tree.go_on()
        tree.reap()
    return tree.code if tree.code >= 0 else 128 - tree.code


if __name__ == "__main__":
    sys.exit(main())
