"""Which requests: mine, those that wait for me, the active ones, or all; and since when."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import update_wrapper
from typing import Any

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import Unreadable, UsageError
from jitaccess.cli.api.everywhere import Everywhere
from jitaccess.cli.api.reading import Found, read_requests
from jitaccess.cli.api.selectors import ACTIVE, REQUESTER, in_state, requested_by
from jitaccess.cli.commands.candidates import complete_people, complete_policies, complete_roles
from jitaccess.cli.commands.choosing import matching, parse_role
from jitaccess.cli.commands.options import all_of
from jitaccess.cli.commands.standing import reviewable
from jitaccess.cli.terminal.output import note, warn
from jitaccess.domain.model import AccessRequest, Manifest, RoleRef
from jitaccess.domain.recorded import State
from jitaccess.manifests.resources import OPEN_REQUESTS
from jitaccess.manifests.reviews import OWED_REVIEWS
from jitaccess.wording.reviews import owes_review

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

    def in_order(self, requests: Iterable[AccessRequest]) -> list[AccessRequest]:
        """Who waits longest comes first; of all else the newest."""
        return sorted(
            requests, key=lambda request: (request.created, request.key), reverse=self not in (REVIEWABLE, AWAITING_REVIEW)
        )


MINE = Filter("mine", "", "You have no requests in {place}; ask with: kubectl jit request")
REVIEWABLE = Filter("reviewable", OPEN_REQUESTS, "Nothing waits for your decision in {place}.")
ACTIVE_ONES = Filter("active", ACTIVE, "Nobody has access through jitaccess in {place} now.")
AWAITING_REVIEW = Filter("awaiting-review", OWED_REVIEWS, "No emergency access in {place} awaits its review.")
ALL = Filter("all", "", "There are no requests in {place}.")


filter_options = all_of(
    click.option("--reviewable", is_flag=True, help="Pending requests that you may decide."),
    click.option("--active", is_flag=True, help="Everybody's access that is active now."),
    click.option("--awaiting-review", is_flag=True, help="Everybody's emergency access that is over and not reviewed."),
    click.option("--all", "everybody", is_flag=True, help="Everybody's requests, whatever became of them."),
)


_narrowing_options = all_of(
    click.option(
        "--state",
        "states",
        type=click.Choice(list(State), case_sensitive=False),
        multiple=True,
        metavar="STATE",
        help=f"Only those in this state (may be repeated): {', '.join(State)}.",
    ),
    click.option("--user", metavar="USER", help="Only this person's.", shell_complete=complete_people),
    click.option("--policy", metavar="NAME", help="Only those under this policy.", shell_complete=complete_policies),
    click.option("--role", metavar="ROLE", help="Only those for this role.", shell_complete=complete_roles),
    click.option("--since", "back", metavar="TIME", help="Only those made since: 7d (ago), 12h, or a date."),
)


def chosen_filter(to_review: bool, active: bool, awaiting_review: bool, everybody: bool) -> Filter:
    """The filter that the options name; mine without any."""
    flags = ((to_review, REVIEWABLE), (active, ACTIVE_ONES), (awaiting_review, AWAITING_REVIEW), (everybody, ALL))
    named = [f for flag, f in flags if flag]
    if len(named) > 1:
        raise UsageError(f"--{named[0].name} and --{named[1].name} exclude each other")
    return named[0] if named else MINE


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What of a choice of requests is wanted; empty means any."""

    states: tuple[State, ...] = ()
    user: str = ""
    policy: str = ""
    role: RoleRef | None = None
    since: datetime | None = None

    def fits(self, request: AccessRequest) -> bool:
        """Whether a request is wanted."""
        return (
            (not self.states or request.state in self.states)
            and self.user in ("", request.requester)
            and self.policy in ("", request.policy.key.name)
            and (self.role is None or bool(matching(self.role, [request.role])))
            and (self.since is None or request.created >= self.since)
        )

    @property
    def selectors(self) -> list[str]:
        """What of it the API server can sort out itself."""
        state = [in_state(self.states[0])] if len(self.states) == 1 else []
        return ([requested_by(self.user)] if self.user else []) + state


EVERYTHING = Narrowing()


def narrows(function: Callable[..., int]) -> Callable[..., int]:
    """The options that narrow a list; the command gets them as `narrowing`."""

    def narrowed(
        *args: Any,
        states: tuple[str, ...],
        user: str | None,
        policy: str | None,
        role: str | None,
        back: str | None,
        **kwargs: Any,
    ) -> int:
        wanted = parse_role(role) if role else None
        start = since(back, datetime.now(UTC)) if back else None
        narrowing = Narrowing(tuple(map(State, states)), user or "", policy or "", wanted, start)
        return function(*args, narrowing=narrowing, **kwargs)

    return _narrowing_options(update_wrapper(narrowed, function))


def chosen_requests(client: Client, namespace: str, which: Filter, narrowing: Narrowing = EVERYTHING) -> list[Found]:
    """The requests that the filter and the narrowing let through, in the order of the filter."""
    parts = [part for part in (which.selected(client), *narrowing.selectors) if part]
    selector = ",".join(sorted(parts, key=lambda part: not part.startswith(REQUESTER)))  # an older CRD cannot select by it
    found, unreadable = read_requests(_seen(client, namespace, which, selector))
    warn_left_out(unreadable)
    passed = passing(client, which, (request for request, _ in found if narrowing.fits(request)))
    manifests = {request.key: manifest for request, manifest in found}
    chosen = which.in_order(request for request, _ in found if request.key in passed)
    return [(request, manifests[request.key]) for request in chosen]


def _seen(client: Client, namespace: str, which: Filter, selector: str) -> list[Manifest]:
    if namespace or client.cluster:
        return client.requests(namespace, selector)
    everywhere = Everywhere(client)
    found = everywhere.requests(selector, "approve" if which is REVIEWABLE else "")
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
    if which is AWAITING_REVIEW:
        return {request.key for request in requests if owes_review(request)}
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
