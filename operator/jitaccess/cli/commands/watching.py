"""Watching: `watch` follows one request to its end, or keeps a list of requests up to date."""

import time
from contextlib import suppress
from datetime import datetime

import click
from rich.live import Live
from rich.text import Text

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, ExitCode, NotFound, Outage, Refused, TimedOut, Unreadable
from jitaccess.cli.api.following import Change
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, parse_seconds, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_requests
from jitaccess.cli.commands.choosing import parse_name
from jitaccess.cli.commands.filters import Filter, chosen_filter, filter_options, passing
from jitaccess.cli.commands.looking import requests_table
from jitaccess.cli.commands.options import connects
from jitaccess.cli.commands.waiting import CODES, DELETED
from jitaccess.cli.terminal.output import err, escaped, note, out, say, state_text, warn
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
    session: Session,
    name: str | None,
    reviewable: bool,
    active: bool,
    awaiting_review: bool,
    everybody: bool,
    everywhere: bool,
    timeout: str | None,
) -> int:
    """Follow a request until it can never give access again; or, without a name, keep a list of requests up to date.

    The exit code says how the request ended: 0 expired, 3 denied, revoked, withdrawn or failed, 4 timed out.
    """
    client = session.client
    which = chosen_filter(reviewable, active, awaiting_review, everybody)
    until = time.monotonic() + parse_seconds(timeout, "--timeout") if timeout else None
    if name:
        return _follow(client, parse_name(name, client.namespace), until)
    board = _Board(client, which, session.scope(everywhere))
    with suppress(KeyboardInterrupt):
        _keep_list(board, until)
    if board.trouble:
        raise Outage(f"{board.trouble}; what happens since is not known")
    return ExitCode.DONE


def _follow(client: Client, key: Key, until: float | None) -> int:
    seen: set[object] = set()
    current: AccessRequest | None = None
    trouble = ""

    def words(_: datetime) -> str:
        state = f"{current.state}: {outcome(current, None, client.now())}" if current else "asking the API server"
        return f"{key.name}  {f'{trouble}; it was last ' if trouble and current else ''}{state}"

    started = time.monotonic()
    try:
        with StatusLine(words) as status:
            for change in client.follow_one(key, until):
                if change.gone:
                    raise CliError(f"{key.name} {DELETED}")
                trouble, current = _noted(trouble, change.trouble), change.request or current
                if change.request is None:
                    continue
                with status.away():
                    _say_news(client, change.request, seen)
                if change.request.state.settled:
                    return CODES[change.request.state]
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    if trouble or current is None:
        raise Outage(f"what became of {key.name} is not known: {trouble or 'the API server did not answer'}")
    raise TimedOut(f"{key.name} is still {current.state} after {span_since(started)}: {outcome(current, None, client.now())}")


def _noted(before: str, trouble: str) -> str:
    """Say beside the output, where nothing is drawn anew, that there is trouble, or none any more."""
    if not err().is_terminal and trouble != before:
        note(trouble or "the API server answers again")
    return trouble


def _say_news(client: Client, request: AccessRequest, seen: set[object]) -> None:
    now = client.now()
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
    """The requests that a filter lets through, as a table drawn anew every second; never more than what was really listed."""

    def __init__(self, client: Client, which: Filter, namespace: str) -> None:
        self.client = client
        self.which = which
        self.namespace = namespace
        self._requests: dict[Key, AccessRequest] = {}
        self._left_out: set[str] = set()
        self._heard: datetime | None = None  # when the API server last said that this is all
        self.trouble = ""

    def __rich__(self) -> Text:
        if self._heard is None:
            return Text("asking the API server")
        if not self.trouble:
            return self._table()
        since = escaped(f"{self.trouble}; as of {clock(self._heard, self.client.now())}:")
        return Text.assemble((since, "yellow"), "\n", self._table())

    def _table(self) -> Text:
        listed = self.which.in_order(self._requests.copy().values())
        if not listed:
            where = place(self.namespace) if self.namespace else "any namespace"
            return Text(escaped(self.which.nothing.format(place=where)))
        return requests_table(listed[: max(1, out().height - 4)], self.which, self.client.now(), not self.namespace)

    def hear(self, change: Change) -> bool:
        """Note what was learned; whether it is about a request that is, or was, on this board."""
        self.trouble = change.trouble
        if change.listed or (self._heard and not change.trouble):
            self._heard = self.client.now()
        if change.unreadable and not change.gone:
            self._leave_out(change.manifest, change.unreadable)
        return change.request is not None and self._take(change.request, change.gone)

    def _leave_out(self, manifest: Manifest, why: str) -> None:
        """Say once that a request cannot be read, and show it no longer."""
        self._requests.pop(key_of(manifest), None)
        if why not in self._left_out:
            self._left_out.add(why)
            warn(f"left out: {why}")

    def _take(self, request: AccessRequest, gone: bool) -> bool:
        if gone or not passing(self.client, self.which, [request]):
            return self._requests.pop(request.key, None) is not None
        self._requests[request.key] = request
        return True


def _keep_list(board: _Board, until: float | None) -> None:
    client = board.client
    live = Live(board, console=out(), refresh_per_second=1) if out().is_terminal else None
    if live:
        live.start()
    try:
        for change in client.follow(board.namespace, board.which.selected(client), until):
            before = board.trouble
            news = board.hear(change)
            if live is None:
                _noted(before, board.trouble)
                if news and change.request:
                    (_say_gone if change.gone else _say_change)(client, change.request)
    finally:
        if live:
            live.stop()


def _say_change(client: Client, request: AccessRequest) -> None:
    now = client.now()
    words = outcome(request, None, now)
    say(f"{clock(now, now)}  {request.key}  ", state_text(request.state), f"  {request.requester}, {request.role}: {words}")
    for warning in warnings(request):
        warn(f"{request.key}: {warning}")


def _say_gone(client: Client, request: AccessRequest) -> None:
    """A request that is not among those that are watched any more: deleted, or in another state than they are."""
    try:
        _say_change(client, read_request(client.request(request.key)))
    except NotFound:
        note(f"{clock(client.now(), client.now())}  {request.key}  deleted")
    except (Outage, Refused, Unreadable) as error:
        note(f"{clock(client.now(), client.now())}  {request.key}  no longer listed, and why is not known: {error.message}")
