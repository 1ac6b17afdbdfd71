"""What the shell offers after Tab: names, policies, roles, people, locks, namespaces and contexts, from the cluster itself."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from jitaccess.cli.api.errors import CliError, Refused
from jitaccess.cli.api.reading import read_requests
from jitaccess.manifests.resources import OPEN_REQUESTS
from jitaccess.manifests.reviews import OWED_REVIEWS

if TYPE_CHECKING:
    from jitaccess.cli.api.session import Session
    from jitaccess.domain.model import AccessPolicy, AccessRequest

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completes(candidates: "Callable[[Session, click.Context], Iterable[tuple[str, str]]]") -> Complete:
    """Offer those (word, description) that begin as typed; whoever may not see them is offered nothing."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from jitaccess.cli.api import session
        from jitaccess.cli.terminal.output import escaped

        try:
            found = list(candidates(session.current(ctx), ctx))
        except CliError:
            return []
        return [CompletionItem(word, help=escaped(description)) for word, description in found if word.startswith(incomplete)]

    return complete


_OF_OPEN_ONES = ("approve", "deny", "revoke", "watch")


@_completes
def complete_requests(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The names of requests: those that the command is of use for, to whoever asks, and not what is named already."""
    from jitaccess.cli.commands.standing import usable

    client, verb = session.client, ctx.command.name or ""
    selectors = {
        **dict.fromkeys(("extend", "withdraw"), client.mine),
        **dict.fromkeys(_OF_OPEN_ONES, OPEN_REQUESTS),
        "reviewed": OWED_REVIEWS,
    }
    selector = selectors.get(verb, "")
    requests = [request for request, _ in read_requests(client.requests(client.namespace, selector))[0]]
    found = requests if verb in ("show", "watch") else usable(verb, client, requests)
    named = ctx.params.get("names") or ()
    return ((r.key.name, f"{r.state}: {r.requester}, {r.role.name}") for r in found if r.key.name not in named)


@_completes
def complete_stages(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The stages that the requests on the command line, or else any that are open, still wait for."""
    client, named = session.client, ctx.params.get("names") or ()
    found = [request for request, _ in read_requests(client.requests(client.namespace, OPEN_REQUESTS))[0]]
    about = [request for request in found if not named or request.key.name in named]
    return {stage.name: stage.approvers for request in about for stage in request.recorded.stages if stage.open}.items()


@_completes
def complete_policies(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The names of the policies of the namespace, or with -A of all; for a request, of those under which one may make it."""
    return {policy.key.name: policy.description for policy in _policies(session, ctx)}.items()


@_completes
def complete_roles(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The roles that the policy on the command line, or else any of those that are offered, offers."""
    named = ctx.params.get("policy")
    policies = [policy for policy in _policies(session, ctx) if named in (None, policy.key.name)]
    return {role.name: f"{role.kind}, {policy.key.name}" for policy in policies for role in policy.roles}.items()


def _policies(session: "Session", ctx: click.Context) -> "list[AccessPolicy]":
    from jitaccess.cli.api.everywhere import Everywhere
    from jitaccess.wording.describe import not_ready

    client = session.client
    if ctx.params.get("everywhere"):
        return [*Everywhere(client).policies(alone=False), *client.for_many()]
    found = client.policies(client.namespace)
    if ctx.command.name != "request":
        return found
    may = client.may("request", (policy.ref for policy in found))
    return [policy for policy in found if may[policy.ref] and not not_ready(policy, client.now())]


@_completes
def complete_people(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """Who has asked there, and is not named already; to lock somebody, or end what they have, who has or wants something now."""
    counted = Counter(request.requester for request in _asked(session, ctx))
    named = ctx.params.get("users") or ()
    return ((who, f"requests: {number}") for who, number in sorted(counted.items()) if who not in named)


@_completes
def complete_deciders(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """Who has decided there."""
    from jitaccess.wording.decisions import decisions

    counted = Counter(line.by for request in _asked(session, ctx) for line in decisions(request) if line.by)
    return ((who, f"decisions: {number}") for who, number in sorted(counted.items()))


def _asked(session: "Session", ctx: click.Context) -> "list[AccessRequest]":
    from jitaccess.cli.api.everywhere import Everywhere

    verb = ctx.command.name
    selector = OPEN_REQUESTS if verb in ("lock", "revoke") else ""
    client, all_of_them = session.client, verb == "lock" or ctx.params.get("everywhere")
    items = Everywhere(client).requests(selector) if all_of_them else client.requests(client.namespace, selector)
    return [request for request, _ in read_requests(items)[0]]


@_completes
def complete_locks(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """What lifts a lock that holds: whom it is on, where that is one person, and its name; none that is named already."""
    from jitaccess.cli.api.locking import list_locks
    from jitaccess.manifests.locks import parse_lock

    now, named = session.client.now(), ctx.params.get("names") or ()
    found = [lock for item in list_locks(session.connection) if (lock := parse_lock(item)).holds(now)]
    words = [(who, lock.reason) for lock in found if len(lock.subjects) == 1 for who in lock.subjects]
    words += [(lock.name, f"{', '.join(lock.subjects)}: {lock.reason}") for lock in found]
    return (word for word in words if word[0] not in named)


@_completes
def complete_namespaces(session: "Session", _: click.Context) -> Iterable[tuple[str, str]]:
    """The namespaces: all of them where one may list them, else those where a policy names one."""
    from jitaccess.cli.api.everywhere import Everywhere

    try:
        return [(name, "") for name in session.client.namespaces()]
    except Refused:
        return [(name, "") for name in Everywhere(session.client).places.namespaces()]


@_completes
def complete_contexts(session: "Session", _: click.Context) -> Iterable[tuple[str, str]]:
    """The contexts of the kubeconfig."""
    from jitaccess.cli.api.kubeconfig import Kubeconfig

    return ((name, "") for name in Kubeconfig(session.kubeconfig).contexts)
