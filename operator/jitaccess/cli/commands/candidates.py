"""What the shell offers after Tab: names, policies, roles, namespaces and contexts, from the cluster itself."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from jitaccess.cli.api.errors import CliError
from jitaccess.cli.api.reading import read_requests
from jitaccess.manifests.resources import OPEN_REQUESTS

if TYPE_CHECKING:
    from jitaccess.cli.api.session import Session

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


@_completes
def complete_requests(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The names of requests; for deciding, only of those that are open."""
    selector = OPEN_REQUESTS if ctx.info_name in ("approve", "deny", "revoke", "withdraw") else ""
    requests, _ = read_requests(session.client.requests(session.client.namespace, selector))
    return ((request.key.name, f"{request.state}: {request.requester}, {request.role.name}") for request, _ in requests)


@_completes
def complete_policies(session: "Session", _: click.Context) -> Iterable[tuple[str, str]]:
    """The names of the policies of the namespace."""
    return ((policy.key.name, policy.description) for policy in session.client.policies(session.client.namespace))


@_completes
def complete_roles(session: "Session", ctx: click.Context) -> Iterable[tuple[str, str]]:
    """The roles that the policy on the command line, or else any policy of the namespace, offers."""
    named = ctx.params.get("policy")
    policies = [p for p in session.client.policies(session.client.namespace) if named in (None, p.key.name)]
    return {role.name: f"{role.kind}, {policy.key.name}" for policy in policies for role in policy.roles}.items()


@_completes
def complete_namespaces(session: "Session", _: click.Context) -> Iterable[tuple[str, str]]:
    """The namespaces, where one may list them."""
    return ((name, "") for name in session.client.namespaces())


@_completes
def complete_contexts(session: "Session", _: click.Context) -> Iterable[tuple[str, str]]:
    """The contexts of the kubeconfig."""
    from jitaccess.cli.api.kubeconfig import Kubeconfig

    return ((name, "") for name in Kubeconfig(session.kubeconfig).contexts)
