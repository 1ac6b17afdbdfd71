"""Waiting for what becomes of a request, with a live status line; what is said afterwards is what was seen last."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, ExitCode, Outage, TimedOut
from jitaccess.cli.terminal.output import command, dump, err, note, say, state_text
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, Manifest
from jitaccess.domain.recorded import State
from jitaccess.wording.describe import option, outcome, reference, times_out
from jitaccess.wording.times import span_since
from jitaccess.wording.unseen import not_acted_on, operator_words

CODES = {
    State.PENDING: ExitCode.DONE,
    State.SCHEDULED: ExitCode.DONE,
    State.ACTIVE: ExitCode.DONE,
    State.EXPIRED: ExitCode.DONE,
    State.DENIED: ExitCode.NO,
    State.REVOKED: ExitCode.NO,
    State.WITHDRAWN: ExitCode.NO,
    State.FAILED: ExitCode.NO,
    State.TIMED_OUT: ExitCode.TIMED_OUT,
}
DELETED = "was deleted: the access that it gave, if any, ends when Kubernetes has collected its binding"


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it was seen last; `enough` if it came as far as was waited for, `trouble` if nothing is known since."""

    request: AccessRequest
    manifest: Manifest
    enough: bool
    trouble: str = ""


def wait_for(client: Client, key: Key, policy: AccessPolicy | None, seconds: float | None, output: str | None = None) -> int:
    """Wait until the request is granted, scheduled or settled, say so, and return the exit code."""
    started = time.monotonic()
    try:
        seen = seen_until(client, key, policy, seconds, lambda request: request.state is not State.PENDING)
    except KeyboardInterrupt:
        note("Stopped waiting; the request stays. Look again, or take it back:")
        command(f"kubectl jit watch {key.name} {option(key.namespace)}")
        command(f"kubectl jit withdraw {key.name} {option(key.namespace)}")
        return ExitCode.INTERRUPTED
    if not seen.enough:
        raise _undecided(client, seen, policy, span_since(started))
    if output:
        dump(seen.manifest, output)
    else:
        say_outcome(client, seen.request, policy)
    return CODES[seen.request.state]


def seen_until(
    client: Client,
    key: Key,
    policy: AccessPolicy | None,
    seconds: float | None,
    enough: Callable[[AccessRequest], bool],
) -> Seen:
    """Follow a request until it is enough, or for so many seconds; CliError where it was deleted."""
    from jitaccess.cli.terminal.statusline import StatusLine

    started = time.monotonic()
    line = f"{key.name}  asking the API server"
    last: Seen | None = None

    def words(_: datetime) -> str:
        return f"{span_since(started)}  {line}"

    with StatusLine(words):
        for change in client.follow_one(key, None if seconds is None else started + seconds, patient=True):
            if change.gone:
                raise CliError(f"{key.name} {DELETED}")
            if change.request:
                last = Seen(change.request, change.manifest, enough(change.request))
            if last and last.enough:
                return last
            if last:
                last = Seen(last.request, last.manifest, enough=False, trouble=change.trouble)
            line = _show(line, f"{key.name}  {change.trouble or (_pending(client, last.request, policy) if last else '')}")
    if last is None:
        raise Outage(f"what became of {key.name} is not known: the API server did not answer", f"kubectl jit watch {key.name}")
    return last


def say_outcome(client: Client, request: AccessRequest, policy: AccessPolicy | None) -> None:
    """Print where a request stands, in one line."""
    words = outcome(request, policy, client.now())
    say(f"{reference(request.key)}  ", state_text(request.state), f": {words}" if words else "")


def _undecided(client: Client, seen: Seen, policy: AccessPolicy | None, spent: str) -> CliError:
    """Why a wait was in vain, as far as that is known."""
    key, follow = seen.request.key, f"kubectl jit watch {seen.request.key.name}"
    if seen.trouble:
        return Outage(f"whether {key.name} was decided is not known: {seen.trouble}; the request stays", follow)
    if seen.request.recorded.unseen:
        silent = operator_words(client.operator_heard(), client.now())
        return TimedOut(f"{key.name} was not looked at within {spent}: {silent}; the request stays", follow)
    if decided := not_acted_on(seen.request):
        silent = operator_words(client.operator_heard(), client.now())
        return TimedOut(f"{key.name} is {decided}: {silent}; the request stays", follow)
    return TimedOut(f"not decided within {spent}: {outcome(seen.request, policy, client.now())}; the request stays", follow)


def _pending(client: Client, request: AccessRequest, policy: AccessPolicy | None) -> str:
    now = client.now()
    return ", ".join(part for part in (f"{request.state}: {outcome(request, policy, now)}", times_out(request, now)) if part)


def _show(before: str, line: str) -> str:
    if not err().is_terminal and line != before:
        note(line)
    return line
