"""A supervised child process: own process group, log file, and an end no later than its parent's."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from controlplane.errors import AddressInUse, ControlPlaneError, ProcessDied
from controlplane.guard import guard
from controlplane.patience import PATIENCE

# The child waits for one line before it becomes the program: by then the guard knows its group. If the parent dies
# in between, the child reads the end of the pipe and ends too.
_SHIM = ["/bin/sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh"]
_POLL = 0.05  # seconds


class Process:
    """One program under supervision; stdout and stderr are appended to `log`."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = name
        self.argv = [str(word) for word in argv]
        self.log = log
        self._env = None if env is None else dict(env)
        self._cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def start(self) -> Self:
        """Start the program; ControlPlaneError if it is already running."""
        if self.running:
            raise ControlPlaneError(f"{self.name} is already running as {self.pid}; stop it first")
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            child = subprocess.Popen(
                [*_SHIM, *self.argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._env,
                cwd=self._cwd,
                start_new_session=True,
            )
        assert child.stdin is not None
        guard().tell("watch", child.pid)
        child.stdin.write(b"\n")
        child.stdin.close()
        self._child = child
        return self

    @property
    def pid(self) -> int:
        """The process id, which is also its group's; ControlPlaneError before the first start."""
        if self._child is None:
            raise ControlPlaneError(f"{self.name} was never started")
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self.exit_code is None

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, None while it runs or before it started."""
        if self._child is None:
            return None
        known = self._child.returncode is not None
        code = self._child.poll()
        if code is not None and not known:
            guard().tell("forget", self._child.pid)
        return code

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code; subprocess.TimeoutExpired after `timeout` seconds."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.exit_code) is None:
            if self._child is None:
                raise ControlPlaneError(f"{self.name} was never started")
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(self.argv, timeout or 0)
            time.sleep(_POLL)
        return code

    def pause(self) -> None:
        """Freeze the process and its children where they are (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once (SIGKILL) and wait; nothing happens if it has ended."""
        if self.running:
            self._end(signal.SIGKILL)
            self.wait(PATIENCE)

    def terminate(self, timeout: float = PATIENCE) -> int | None:
        """Ask it to end (SIGTERM), kill it after `timeout` seconds, and return the exit code."""
        if self.running:
            self._end(signal.SIGTERM)
            self._end(signal.SIGCONT)  # a paused process takes no SIGTERM
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.exit_code

    def output(self) -> str:
        """Return what it wrote since its last start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def log_tail(self, lines: int = 20) -> str:
        return "\n".join(self.output().splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], bool], timeout: float = PATIENCE) -> None:
        """Wait until `ready()`; ProcessDied or ControlPlaneError (with the log's tail) if it never is."""
        deadline = time.monotonic() + timeout
        while not (ready() and self.running):
            if not self.running:
                raise self._died()
            if time.monotonic() >= deadline:
                raise ControlPlaneError(f"{self.name} was not ready after {timeout:.0f} s; its last words:\n{self.log_tail()}")
            time.sleep(_POLL)

    def _died(self) -> ProcessDied:
        kind = AddressInUse if "address already in use" in self.output() else ProcessDied
        return kind(f"{self.name} ended with exit code {self.exit_code}; its last words:\n{self.log_tail()}")

    def _signal(self, number: signal.Signals) -> None:
        if not self.running:
            raise ControlPlaneError(f"{self.name} is not running; start it first")
        os.killpg(self.pid, number)

    def _end(self, number: signal.Signals) -> None:
        # It may end on its own just now; macOS says PermissionError then.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminate()
