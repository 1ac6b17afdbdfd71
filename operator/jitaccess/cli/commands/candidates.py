"""What the shell offers after Tab: names, policies, roles, namespaces and contexts, from the cluster itself."""

from collections.abc import Iterable

import click
from click.shell_completion import CompletionItem

from jitaccess.cli.api.client import OPEN
from jitaccess.cli.api.errors import CliError
from jitaccess.cli.api.reading import read_request


def complete_requests(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of requests; for deciding, only of those that are open."""
    from jitaccess.cli.api import session

    try:
        client = session.current(ctx).client
        selector = OPEN if ctx.info_name in ("approve", "deny", "revoke", "withdraw") else ""
        requests = [read_request(item) for item in client.requests(client.namespace, selector)]
    except CliError:
        return []
    return _items(((r.key.name, f"{r.state}: {r.requester}, {r.role.name}") for r in requests), incomplete)


def complete_policies(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The names of the policies of the namespace."""
    from jitaccess.cli.api import session

    try:
        client = session.current(ctx).client
        policies = client.policies(client.namespace)
    except CliError:
        return []
    return _items(((policy.key.name, policy.description) for policy in policies), incomplete)


def complete_roles(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The roles that the policy on the command line, or else any policy of the namespace, offers."""
    from jitaccess.cli.api import session

    try:
        client = session.current(ctx).client
        policies = client.policies(client.namespace)
    except CliError:
        return []
    named = ctx.params.get("policy")
    roles = {role.name: f"{role.kind}, {p.key.name}" for p in policies if named in (None, p.key.name) for role in p.roles}
    return _items(roles.items(), incomplete)


def complete_namespaces(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The namespaces, where one may list them."""
    from jitaccess.cli.api import session

    try:
        names = session.current(ctx).client.namespaces()
    except CliError:
        return []
    return _items(((name, "") for name in names), incomplete)


def complete_contexts(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The contexts of the kubeconfig."""
    from jitaccess.cli.api import session
    from jitaccess.cli.api.connect import contexts

    try:
        names = contexts(session.current(ctx).kubeconfig)
    except CliError:
        return []
    return _items(((name, "") for name in names), incomplete)


def _items(pairs: Iterable[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    from jitaccess.cli.terminal.output import escaped

    return [CompletionItem(name, help=escaped(help_text)) for name, help_text in pairs if name.startswith(incomplete)]
