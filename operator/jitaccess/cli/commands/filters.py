"""Which requests: mine, those that wait for me, the active ones, or all; and since when."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click

from jitaccess.cli.api.client import ACTIVE, Client
from jitaccess.cli.api.errors import Unreadable, UsageError
from jitaccess.cli.api.everywhere import Everywhere
from jitaccess.cli.api.reading import Found, read_requests
from jitaccess.cli.commands.options import all_of
from jitaccess.cli.commands.standing import reviewable
from jitaccess.cli.terminal.output import note, warn
from jitaccess.domain.model import AccessRequest, Manifest
from jitaccess.domain.recorded import State
from jitaccess.manifests.resources import OPEN_REQUESTS

_AGO = re.compile(r"(?:\d+[wdhm])+")
_TERM = re.compile(r"(\d+)([wdhm])")
_LONGEST_SHOWN = 40
_SECONDS = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60}


@dataclass(frozen=True, slots=True)
class Filter:
    """A choice of requests; the selector is what the API server can sort out itself."""

    name: str
    selector: str
    nothing: str

    def selected(self, client: Client) -> str:
        """The field selector for this client."""
        return client.mine if self is MINE else self.selector


MINE = Filter("mine", "", "You have no requests in {place}; ask with: kubectl jit request")
REVIEWABLE = Filter("reviewable", OPEN_REQUESTS, "Nothing waits for your decision in {place}.")
ACTIVE_ONES = Filter("active", ACTIVE, "Nobody has access through jitaccess in {place} now.")
ALL = Filter("all", "", "There are no requests in {place}.")


filter_options = all_of(
    click.option("--reviewable", is_flag=True, help="Pending requests that you may decide."),
    click.option("--active", is_flag=True, help="Everybody's access that is active now."),
    click.option("--all", "everybody", is_flag=True, help="Everybody's requests, whatever became of them."),
)


def chosen_filter(to_review: bool, active: bool, everybody: bool) -> Filter:
    """The filter that the options name; mine without any."""
    named = [f for flag, f in ((to_review, REVIEWABLE), (active, ACTIVE_ONES), (everybody, ALL)) if flag]
    if len(named) > 1:
        raise UsageError(f"--{named[0].name} and --{named[1].name} exclude each other")
    return named[0] if named else MINE


def chosen_requests(client: Client, namespace: str, which: Filter) -> list[Found]:
    """The requests that the filter lets through, newest first; of all namespaces (empty) those that I may see, which is said."""
    found, unreadable = read_requests(_seen(client, namespace, which))
    warn_left_out(unreadable)
    passed = passing(client, which, (request for request, _ in found))
    return sorted((f for f in found if f[0].key in passed), key=lambda f: (f[0].created, f[0].key), reverse=True)


def _seen(client: Client, namespace: str, which: Filter) -> list[Manifest]:
    if namespace:
        return client.requests(namespace, which.selected(client))
    everywhere = Everywhere(client)
    found = everywhere.requests(which.selected(client), "approve" if which is REVIEWABLE else "")
    note_narrowed(everywhere)
    return found


def note_narrowed(everywhere: Everywhere) -> None:
    """Say that not all namespaces were looked at, and which."""
    if everywhere.namespaces is not None:
        number = len(everywhere.namespaces)
        where = "1 namespace" if number == 1 else f"{number} namespaces"
        note(f"Looked in {where}, where a policy names you; to look in all needs cluster-wide rights.")


def warn_left_out(unreadable: Sequence[Unreadable]) -> None:
    """Say which requests a list leaves out, because this plugin cannot read them."""
    for error in unreadable:
        warn(f"left out: {error.message}")
    if unreadable:
        warn(unreadable[0].hint)


def passing(client: Client, which: Filter, requests: Iterable[AccessRequest]) -> set[object]:
    """The keys of those requests that the filter lets through."""
    if which is MINE:
        return {request.key for request in requests if request.requester == client.me}
    if which is ACTIVE_ONES:
        return {request.key for request in requests if request.state is State.ACTIVE}
    if which is ALL:
        return {request.key for request in requests}
    return {request.key for request in reviewable(client, requests)}


def since(text: str, now: datetime) -> datetime:
    """Parse how far to look back: `30d`, `12h`, `2w`, or a date or time in ISO form (UTC without an offset)."""
    try:
        if _AGO.fullmatch(text):
            return now - timedelta(seconds=sum(int(number) * _SECONDS[unit] for number, unit in _TERM.findall(text)))
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{_short(text)} is further away than a calendar goes") from None
    except ValueError:
        raise UsageError(f"{_short(text)} is neither a time span (30d, 12h, 2w) nor a date (2026-01-31)") from None


def _short(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}...")
