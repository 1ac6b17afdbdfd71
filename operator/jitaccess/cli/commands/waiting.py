"""Waiting for a verdict with a live status line."""

import time
from datetime import UTC, datetime

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, ExitCode, NotFound, TimedOut
from jitaccess.cli.terminal.output import command, dump, err, note, say, state_text
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, Manifest
from jitaccess.domain.recorded import State
from jitaccess.wording.describe import outcome, times_out
from jitaccess.wording.times import span_since

CODES = {
    State.PENDING: ExitCode.DONE,
    State.ACTIVE: ExitCode.DONE,
    State.EXPIRED: ExitCode.DONE,
    State.DENIED: ExitCode.NO,
    State.REVOKED: ExitCode.NO,
    State.WITHDRAWN: ExitCode.NO,
    State.FAILED: ExitCode.NO,
    State.TIMED_OUT: ExitCode.TIMED_OUT,
}


def wait_for(client: Client, key: Key, policy: AccessPolicy | None, seconds: float | None, output: str | None = None) -> int:
    """Wait until the request is granted or settled, say so, and return the exit code."""
    try:
        request, manifest = _verdict(client, key, policy, seconds)
    except KeyboardInterrupt:
        note("Stopped waiting; the request stays. Look again, or take it back:")
        command(f"kubectl jit watch {key.name} -n {key.namespace}")
        command(f"kubectl jit withdraw {key.name} -n {key.namespace}")
        return ExitCode.INTERRUPTED
    except NotFound:
        raise CliError(f"{key.name} was deleted, and with it whatever it gave") from None
    if output:
        dump(manifest, output)
    else:
        say_outcome(request, policy)
    return CODES[request.state]


def say_outcome(request: AccessRequest, policy: AccessPolicy | None) -> None:
    """Print where a request stands, in one line."""
    words = outcome(request, policy, datetime.now(UTC))
    say(f"accessrequest/{request.key.name}  ", state_text(request.state), f": {words}" if words else "")


def _verdict(client: Client, key: Key, policy: AccessPolicy | None, seconds: float | None) -> tuple[AccessRequest, Manifest]:
    from jitaccess.cli.terminal.statusline import StatusLine

    started = time.monotonic()
    seen: dict[str, str] = {"line": f"{key.name}  asking the API server"}

    def words(_: datetime) -> str:
        return f"{span_since(started)}  {seen['line']}"

    with StatusLine(words):
        for change in client.follow_one(key, None if seconds is None else started + seconds):
            request = change.request
            if change.deleted:
                raise NotFound(f"{key.name} was deleted")
            if request and request.state is not State.PENDING:
                return request, change.manifest
            _show(seen, f"{key.name}  {_pending(request, policy) if request else change.trouble}")
    raise TimedOut(f"nobody decided within {span_since(started)}; the request stays", f"kubectl jit watch {key.name}")


def _pending(request: AccessRequest, policy: AccessPolicy | None) -> str:
    now = datetime.now(UTC)
    return ", ".join(part for part in (f"{request.state}: {outcome(request, policy, now)}", times_out(request, now)) if part)


def _show(seen: dict[str, str], line: str) -> None:
    if not err().is_terminal and line != seen["line"]:
        note(line)
    seen["line"] = line
