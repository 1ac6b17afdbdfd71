"""Asking for access: `request` and `extend`."""

from collections.abc import Sequence
from typing import TextIO

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import AlreadyExists, CliError, NotFound, NotInstalled, Refused, UsageError
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_policies, complete_requests, complete_roles
from jitaccess.cli.commands.choosing import (
    ambiguity,
    checked_reason,
    chosen_duration,
    chosen_start,
    continued_reason,
    offers,
    parse_length,
    parse_name,
    parse_role,
    request_name,
)
from jitaccess.cli.commands.files import as_request, completed, read_manifest
from jitaccess.cli.commands.options import Manner, connects
from jitaccess.cli.commands.prompting import Choice, ask_choice, asked_length, asked_ticket, prompted, say_again
from jitaccess.cli.commands.reporting import report
from jitaccess.cli.commands.usage import check_wish
from jitaccess.cli.commands.wishes import Wish
from jitaccess.cli.terminal.output import note, warn
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, Manifest, RoleRef
from jitaccess.domain.text import format_duration
from jitaccess.manifests.kinds import policy_ref
from jitaccess.manifests.resources import CLUSTER_POLICIES, POLICIES
from jitaccess.wording.beginnings import foreseen
from jitaccess.wording.describe import not_ready, place
from jitaccess.wording.standing import refusal

_NAMES = 3  # tries for a free name


@click.command(cls=options.Command)
@click.argument("policy", required=False, shell_complete=complete_policies)
@click.option("--role", metavar="ROLE", help="The role, if the policy offers several.", shell_complete=complete_roles)
@click.option("--for", "duration", metavar="DURATION", help="How long: 30m, 4h. Default: 1h, or the policy's longest if shorter.")
@click.option("-r", "--reason", metavar="TEXT", help="Why, for the approver and the record.")
@click.option("--at", metavar="TIME", help="Begin then, if the policy allows it: 2026-07-01T08:00 (local), or RFC 3339.")
@click.option("--in", "later", metavar="DURATION", help="Begin so much later, likewise: 3h.")
@click.option("--ticket", metavar="TICKET", help="The ticket that it is about, where the policy asks for one: INC-42.")
@click.option("-f", "--file", type=click.File(), metavar="FILE", help="Take the AccessRequest from a file (-: standard input).")
@options.manner
@connects
@pass_session
def request(
    session: Session,
    policy: str | None,
    role: str | None,
    duration: str | None,
    reason: str | None,
    at: str | None,
    later: str | None,
    ticket: str | None,
    file: TextIO | None,
    manner: Manner,
) -> int:
    """Ask for access: a role, for a while, for a reason.

    What can be inferred may be left out: the policy if only one is yours, the role if the policy offers one. At a terminal,
    what is missing is asked for. In a file, the name, the namespace and the requester may be left out.

    \b
    kubectl jit request prod-debug --for 1h --reason "INC-42 pods crash looping" --wait
    """
    if file:
        if policy or role or duration or reason or at or later or ticket:
            raise UsageError("-f has all of the request: leave the policy, --role, --for, --reason, --at, --in and --ticket out")
        return _request_from_file(session, file, manner)
    ask = session.interactive
    given = checked_reason(reason) if reason else _needed_reason(ask)
    if duration:
        parse_length(duration)  # before anybody is asked anything
    client = session.client
    start = chosen_start(at or "", later or "", client.now())
    chosen, wanted = _choose(client, policy or "", parse_role(role) if role else None, ask)
    length = asked_length(chosen, duration or "", ask=ask, rather_not=bool(reason))
    about = asked_ticket(chosen, ticket or "", ask=ask)
    why = given or prompted("Why", checked_reason)
    wish = Wish(chosen, wanted, length, why, about, start)
    try:
        manifest = _created(client, client.namespace, wish, manner.dry_run)
    except CliError:
        if ask:
            say_again(client.namespace, wish)
        raise
    return report(client, manifest, chosen, manner)


def _request_from_file(session: Session, file: TextIO, manner: Manner) -> int:
    client, read = session.client, read_manifest(file)
    manifest = completed(read, client.namespace, session.namespace_given, client.me)
    wanted = as_request(manifest)
    policy = client.policy_if_any(wanted.policy)
    if policy and not wanted.invalid:
        _say_foreseen(client, wanted, policy)
    return report(client, client.create(manifest, manner.dry_run), policy, manner)


@click.command(cls=options.Command)
@click.argument("name", shell_complete=complete_requests)
@click.option(
    "--for", "duration", metavar="DURATION", help="How long, from the moment it is granted. Default: as long as before."
)
@click.option("-r", "--reason", metavar="TEXT", help="Why. Default: the reason of the request that is continued.")
@click.option("--ticket", metavar="TICKET", help="The ticket. Default: that of the request that is continued.")
@options.manner
@connects
@pass_session
def extend(
    session: Session,
    name: str,
    duration: str | None,
    reason: str | None,
    ticket: str | None,
    manner: Manner,
) -> int:
    """Ask to go on: a new request for the same role under the same policy, to be approved again.

    The new grant begins when it is approved, and the old one runs on until its own end: they may overlap.
    """
    client = session.client
    old = read_request(client.request(parse_name(name, client.namespace)))
    if old.requester != client.me:
        raise Refused(f"{old.key.name} is {old.requester}'s request, and only they can continue it", "kubectl jit request")
    ended = refusal(old, client.now())
    if ended:
        warn(f"{old.key.name} is over: {ended}")
    policy = client.policy(old.policy)
    length = chosen_duration(duration or format_duration(min(old.duration, policy.max_duration)), policy)
    why = continued_reason(old, checked_reason(reason or old.reason))
    wish = Wish(policy, old.role, length, why, ticket or old.ticket)
    manifest = _created(client, old.key.namespace, wish, manner.dry_run)
    return report(client, manifest, policy, manner)


def _choose(client: Client, name: str, role: RoleRef | None, ask: bool) -> Choice:
    policies = _named(client, name) if name else _requestable(client)
    choices = offers(policies, name, role)
    if len(choices) == 1:
        return choices[0]
    if not ask:
        raise ambiguity(choices)
    return ask_choice(client.namespace, choices)


def _named(client: Client, name: str) -> list[AccessPolicy]:
    """The policy of that name: of the namespace, else one for many; for the whole cluster, one of the cluster."""
    errors: list[CliError] = []
    for kind in [CLUSTER_POLICIES.kind] if client.cluster else [POLICIES.kind, CLUSTER_POLICIES.kind]:
        try:
            return [client.policy(policy_ref(kind, client.namespace, name))]
        except (Refused, NotFound, NotInstalled) as error:
            errors.append(error)
    raise errors[0]


def _requestable(client: Client) -> list[AccessPolicy]:
    policies = client.policies(client.namespace)
    mine = client.may("request", (policy.ref for policy in policies))
    found = [policy for policy in policies if mine[policy.ref]]
    if not found:
        raise _nothing(client, policies)
    return found


def _nothing(client: Client, policies: Sequence[AccessPolicy]) -> CliError:
    where = place(client.namespace)
    policies = [policy for policy in policies if policy.selector is None]  # those for many may not be for this one
    now = client.now()
    why = "; ".join(f"{policy.key.name} is not in force: {said}" for policy in policies if (said := not_ready(policy, now)))
    there = (
        f"none of its policies ({', '.join(p.key.name for p in policies)}) names you" if policies else "no policy there names you"
    )
    return Refused(
        f"there is nothing you may request in {where}: {why or there}",
        "another namespace (-n), or `kubectl jit explain` for who may ask for what",
    )


def _needed_reason(ask: bool) -> str:
    if not ask:
        raise UsageError("say why: --reason TEXT", 'for example --reason "INC-42 pods crash looping"')
    return ""


def _say_foreseen(client: Client, wanted: AccessRequest, policy: AccessPolicy) -> None:
    """Refused where it would be denied; what access would wait for is said, and is no reason not to ask."""
    check_wish(client, wanted, policy)
    words, in_vain = foreseen(wanted, policy, client.now())
    if words:
        (warn if in_vain else note)(words)


def _created(client: Client, namespace: str, wish: Wish, dry_run: bool) -> Manifest:
    _say_foreseen(client, wish.request(namespace, client.me, client.now()), wish.policy)
    for attempt in range(_NAMES):
        key = Key(namespace, request_name(client.me))
        try:
            return client.create(wish.manifest(key, client.me), dry_run)
        except AlreadyExists:
            if attempt == _NAMES - 1:
                raise
        except Refused as refusal:
            reason = not_ready(wish.policy, client.now())
            raise (
                Refused(f"{refusal.message}; policy {wish.policy.key.name} is not in force: {reason}") if reason else refusal
            ) from None
    raise AssertionError("unreachable")
