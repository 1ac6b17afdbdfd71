"""Asking for access: `request` and `extend`."""

from collections.abc import Sequence
from datetime import timedelta
from typing import TextIO

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import AlreadyExists, CliError, ExitCode, NotFound, NotInstalled, Outage, Refused, UsageError
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_policies, complete_requests, complete_roles
from jitaccess.cli.commands.choosing import (
    ambiguity,
    checked_reason,
    chosen_duration,
    continued_reason,
    offers,
    parse_length,
    parse_name,
    parse_role,
    request_manifest,
    request_name,
)
from jitaccess.cli.commands.files import as_request, completed, read_manifest
from jitaccess.cli.commands.options import Manner, connects
from jitaccess.cli.commands.prompting import Choice, ask_choice, asked_length, asked_ticket, prompted, say_again
from jitaccess.cli.commands.usage import check_wish
from jitaccess.cli.commands.waiting import CODES, say_outcome, seen_until, wait_for
from jitaccess.cli.terminal.output import command, dump, err, note, say, warn
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, Manifest, RoleRef
from jitaccess.domain.recorded import State
from jitaccess.domain.text import format_duration
from jitaccess.manifests.kinds import policy_ref
from jitaccess.manifests.resources import CLUSTER_POLICIES, POLICIES
from jitaccess.wording.describe import not_ready, option, place, reference, who_decides
from jitaccess.wording.standing import refusal

_NAMES = 3  # tries for a free name
_AT_ONCE = 5.0  # seconds that a request which needs no approval is waited for


@click.command(cls=options.Command)
@click.argument("policy", required=False, shell_complete=complete_policies)
@click.option("--role", metavar="ROLE", help="The role, if the policy offers several.", shell_complete=complete_roles)
@click.option("--for", "duration", metavar="DURATION", help="How long: 30m, 4h. Default: 1h, or the policy's longest if shorter.")
@click.option("-r", "--reason", metavar="TEXT", help="Why, for the approver and the record.")
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
        if policy or role or duration or reason or ticket:
            raise UsageError("-f has all of the request: leave the policy, --role, --for, --reason and --ticket out")
        return _request_from_file(session, file, manner)
    ask = session.interactive
    given = checked_reason(reason) if reason else _needed_reason(ask)
    if duration:
        parse_length(duration)  # before anybody is asked anything
    client = session.client
    chosen, wanted = _choose(client, policy or "", parse_role(role) if role else None, ask)
    length = asked_length(chosen, duration or "", ask=ask, rather_not=bool(reason))
    about = asked_ticket(chosen, ticket or "", ask=ask)
    why = given or prompted("Why", checked_reason)
    try:
        manifest = _created(client, client.namespace, (chosen, wanted), length, why, manner.dry_run, about)
    except CliError:
        if ask:
            say_again(client.namespace, chosen, wanted, length, why, about)
        raise
    return _report(client, manifest, chosen, manner)


def _request_from_file(session: Session, file: TextIO, manner: Manner) -> int:
    client, read = session.client, read_manifest(file)
    manifest = completed(read, client.namespace, session.namespace_given, client.me)
    wanted = as_request(manifest)
    policy = client.policy_if_any(wanted.policy)
    if policy and not wanted.invalid:
        check_wish(client, wanted, policy)
    return _report(client, client.create(manifest, manner.dry_run), policy, manner)


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
    manifest = _created(client, old.key.namespace, (policy, old.role), length, why, manner.dry_run, ticket or old.ticket)
    return _report(client, manifest, policy, manner)


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


def _created(
    client: Client, namespace: str, choice: Choice, length: timedelta, why: str, dry_run: bool, ticket: str = ""
) -> Manifest:
    (policy, role), now = choice, client.now()
    wanted = AccessRequest(Key(namespace, ""), "", "", now, policy.ref, role, length, why, client.me, ticket)
    check_wish(client, wanted, policy)
    for attempt in range(_NAMES):
        key = Key(namespace, request_name(client.me))
        try:
            return client.create(request_manifest(key, policy.ref, role, length, why, client.me, ticket), dry_run)
        except AlreadyExists:
            if attempt == _NAMES - 1:
                raise
        except Refused as refusal:
            reason = not_ready(policy, client.now())
            raise (
                Refused(f"{refusal.message}; policy {policy.key.name} is not in force: {reason}") if reason else refusal
            ) from None
    raise AssertionError("unreachable")


def _report(client: Client, manifest: Manifest, policy: AccessPolicy | None, manner: Manner) -> int:
    made = read_request(manifest)
    if manner.dry_run:
        return _report_dry_run(made, manifest, policy, manner.output)
    if manner.wait:
        return wait_for(client, made.key, policy, manner.seconds, manner.output)
    if manner.output:
        dump(manifest, manner.output)
        return ExitCode.DONE
    return _report_first_look(client, made, policy)


def _report_first_look(client: Client, made: AccessRequest, policy: AccessPolicy | None) -> int:
    """Say what the operator makes of a new request, which is soon known: as it is then, not as it was made."""
    awaited = policy is None or policy.required_approvals > 0
    try:
        seen = seen_until(
            client, made.key, policy, _AT_ONCE, lambda r: r.state is not State.PENDING or (awaited and not r.recorded.unseen)
        )
    except Outage as outage:
        say(f"{reference(made.key)}  made; what becomes of it is not known: {outage.message}")
        return ExitCode.DONE
    say_outcome(client, seen.request, policy)
    if seen.request.state is not State.PENDING:
        return CODES[seen.request.state]
    if err().is_terminal:
        note("Follow it:")
        command(f"kubectl jit watch {made.key.name} {option(made.key.namespace)}")
    return ExitCode.DONE


def _report_dry_run(made: AccessRequest, manifest: Manifest, policy: AccessPolicy | None, output: str | None) -> int:
    if output:
        dump(manifest, output)
    else:
        say(f"The API server would accept this: {made.role} in {place(made.key.namespace)} for {format_duration(made.duration)}.")
        if policy:
            say(f"Then: {who_decides(policy)}.")
    return ExitCode.DONE
