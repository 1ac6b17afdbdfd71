"""Watching: `watch` follows one request to its end, or keeps a list of requests up to date."""

import time
from datetime import UTC, datetime

import click
from rich.live import Live
from rich.text import Text

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, ExitCode, TimedOut
from jitaccess.cli.api.session import Session, parse_seconds, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_requests
from jitaccess.cli.commands.choosing import parse_name
from jitaccess.cli.commands.filters import MINE, Filter, chosen_filter, filter_options, passing
from jitaccess.cli.commands.looking import requests_table
from jitaccess.cli.commands.options import connects
from jitaccess.cli.commands.waiting import CODES
from jitaccess.cli.terminal.output import escaped, note, out, say, state_text, warn
from jitaccess.cli.terminal.statusline import StatusLine
from jitaccess.domain.model import AccessRequest, Key, Manifest
from jitaccess.manifests.parse import key_of
from jitaccess.wording.describe import outcome, place, warnings
from jitaccess.wording.history import timeline
from jitaccess.wording.times import clock, span_since


@click.command(cls=options.Command)
@click.argument("name", required=False, shell_complete=complete_requests)
@filter_options
@options.everywhere
@click.option("--timeout", metavar="DURATION", help="Stop watching after this time (exit code 4).")
@connects
@pass_session
def watch(
    session: Session, name: str | None, reviewable: bool, active: bool, everybody: bool, everywhere: bool, timeout: str | None
) -> int:
    """Follow a request until it can never give access again; or, without a name, keep a list of requests up to date.

    The exit code says how the request ended: 0 expired, 3 denied, revoked, withdrawn or failed, 4 timed out.
    """
    client = session.client
    which = chosen_filter(reviewable, active, everybody)
    until = time.monotonic() + parse_seconds(timeout, "--timeout") if timeout else None
    try:
        if name:
            return _follow(client, parse_name(name, client.namespace), until)
        _keep_list(client, session.scope(everywhere), which, until)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED if name else ExitCode.DONE
    return ExitCode.DONE


def _follow(client: Client, key: Key, until: float | None) -> int:
    seen: set[object] = set()
    line = f"{key.name}  asking the API server"

    def words(now: datetime) -> str:
        return line if current is None else f"{key.name}  {current.state}: {outcome(current, None, now)}"

    current: AccessRequest | None = None
    started = time.monotonic()
    with StatusLine(words) as status:
        for change in client.follow_one(key, until):
            if change.deleted:
                raise CliError(f"{key.name} was deleted, and with it whatever it gave")
            current, line = change.request, f"{key.name}  {change.trouble}"
            if current is None:
                continue
            with status.away():
                _say_news(current, seen)
            if current.state.settled:
                return CODES[current.state]
    raise TimedOut(f"{key.name} is still {current.state if current else 'unknown'} after {span_since(started)}")


def _say_news(request: AccessRequest, seen: set[object]) -> None:
    now = datetime.now(UTC)
    for number, line in enumerate(timeline(request, now)):
        if number in seen:
            continue
        who = f" by {line.by}" if line.by and line.what != "Requested" else f" {line.by}" if line.by else ""
        say(f"{clock(line.at, now)}  {line.what}{who}", f": {line.said}" if line.said else "")
        seen.add(number)
    for warning in warnings(request):
        if warning not in seen:
            warn(warning)
            seen.add(warning)


class _Board:
    """The requests that a filter lets through, as a table drawn anew every second."""

    def __init__(self, client: Client, which: Filter, namespace: str) -> None:
        self._client = client
        self._which = which
        self._namespace = namespace
        self._requests: dict[Key, AccessRequest] = {}
        self._left_out: set[str] = set()
        self.trouble = ""

    def __rich__(self) -> Text:
        if self.trouble:
            return Text(escaped(self.trouble), style="yellow")
        newest = sorted(self._requests.copy().values(), key=lambda request: request.created, reverse=True)
        if not newest:
            return Text(escaped(self._which.nothing.format(place=place(self._namespace) if self._namespace else "any namespace")))
        return requests_table(newest[: max(1, out().height - 3)], not self._namespace, self._which is not MINE)

    def leave_out(self, manifest: Manifest, why: str) -> None:
        """Say once that a request cannot be read, and show it no longer."""
        self._requests.pop(key_of(manifest), None)
        if why not in self._left_out:
            self._left_out.add(why)
            warn(f"left out: {why}")

    def take(self, request: AccessRequest, deleted: bool) -> bool:
        """Note a change; whether it concerns this board."""
        if deleted or not passing(self._client, self._which, [request]):
            return self._requests.pop(request.key, None) is not None
        self._requests[request.key] = request
        return True


def _keep_list(client: Client, namespace: str, which: Filter, until: float | None) -> None:
    board = _Board(client, which, namespace)
    live = Live(board, console=out(), refresh_per_second=1) if out().is_terminal else None
    if live:
        live.start()
    try:
        for change in client.follow(namespace, which.selected(client), until):
            board.trouble = change.trouble
            if change.unreadable:
                board.leave_out(change.manifest, change.unreadable)
            if change.request is None:
                continue
            if board.take(change.request, change.deleted) and live is None:
                _say_change(change.request, change.deleted)
    finally:
        if live:
            live.stop()


def _say_change(request: AccessRequest, deleted: bool) -> None:
    now = datetime.now(UTC)
    if deleted:
        note(f"{clock(now, now)}  {request.key}  deleted")
        return
    words = outcome(request, None, now)
    say(f"{clock(now, now)}  {request.key}  ", state_text(request.state), f"  {request.requester}, {request.role}: {words}")
    for warning in warnings(request):
        warn(f"{request.key}: {warning}")
