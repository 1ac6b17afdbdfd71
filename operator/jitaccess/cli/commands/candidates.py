"""What the shell offers after Tab: names, policies, roles, namespaces and contexts, from the cluster itself."""

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
    from jitaccess.domain.model import AccessPolicy

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
    """The names of the policies of the namespace; for a request, of those under which one may make it."""
    return ((policy.key.name, policy.description) for policy in _policies(session, ctx))


@_completes
def complete_roles(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The roles that the policy on the command line, or else any of those that are offered, offers."""
    named = ctx.params.get("policy")
    policies = [policy for policy in _policies(session, ctx) if named in (None, policy.key.name)]
    return {role.name: f"{role.kind}, {policy.key.name}" for policy in policies for role in policy.roles}.items()


def _policies(session: "Session", ctx: click.Context) -> "list[AccessPolicy]":
    from jitaccess.wording.describe import not_ready

    client = session.client
    found = client.policies(client.namespace)
    if ctx.command.name != "request":
        return found
    may = client.may("request", (policy.ref for policy in found))
    return [policy for policy in found if may[policy.ref] and not not_ready(policy, client.now())]


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
