"""Explaining: `policies` says what one may ask for here, `explain` answers "may they?", "who decides?" and "why not?"."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from jitaccess.cli import options
from jitaccess.cli.choosing import matching, parse_role
from jitaccess.cli.client import ACTIVE, Client, Person, usual_groups
from jitaccess.cli.completing import complete_policies, complete_roles
from jitaccess.cli.describe import not_ready, place, risks_of, shortened, who_decides
from jitaccess.cli.errors import ExitCode, Refused
from jitaccess.cli.output import Column, as_json, as_yaml, command, err, fields, note, say, show_table, styled
from jitaccess.cli.session import Session, connects, pass_session
from jitaccess.cli.times import relative
from jitaccess.model import AccessPolicy, AccessRequest, RoleRef
from jitaccess.parse import parse_request
from jitaccess.policy import in_words
from jitaccess.text import format_duration

_COLUMNS = (
    Column("POLICY"),
    Column("YOU"),
    Column("ROLES", least=10, keep=4),
    Column("AT MOST", keep=3),
    Column("DECIDED BY", least=14, keep=2),
    Column("FOR", least=10, keep=1),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """What somebody may do under a policy."""

    policy: AccessPolicy
    may_request: bool
    may_approve: bool

    @property
    def words(self) -> str:
        """In words, for a column."""
        if not_ready(self.policy):
            return "not in force"
        may = [word for flag, word in ((self.may_request, "may ask"), (self.may_approve, "decide")) if flag]
        return ", ".join(may) or "-"


@click.command(cls=options.Command)
@options.everywhere
@options.output("json", "yaml", "name")
@connects
@pass_session
def policies(session: Session, everywhere: bool, output: str | None) -> int:
    """What may I ask for here, for how long, and who decides?

    The column YOU is the API server's own answer for you, as `kubectl auth can-i` gives it.
    """
    client = session.client
    namespace = session.scope(everywhere)
    standings = _standings(client, client.policies(namespace), None)
    if output:
        _dump(standings, output)
        return ExitCode.DONE
    if not standings:
        note(f"There are no policies in {'any namespace' if everywhere else place(namespace)}.")
        return ExitCode.DONE
    columns = [*_COLUMNS[:1], *([Column("NAMESPACE", least=8, keep=5)] * everywhere), *_COLUMNS[1:]]
    show_table(columns, (_row(standing, everywhere) for standing in standings))
    for standing in standings:
        if not_ready(standing.policy):
            note(f"{standing.policy.key.name} is not in force: {not_ready(standing.policy)}")
    return ExitCode.DONE


def _standings(client: Client, found: Sequence[AccessPolicy], person: Person | None) -> list[Standing]:
    request = client.may("request", (p.key for p in found), person)
    approve = client.may("approve", (p.key for p in found), person)
    return [Standing(p, request[p.key], approve[p.key]) for p in found]


def _row(standing: Standing, with_namespace: bool) -> list[str]:
    policy = standing.policy
    return [
        policy.key.name,
        *([policy.key.namespace] * with_namespace),
        standing.words,
        ", ".join(role.name for role in policy.roles),
        shortened(policy.max_duration),
        who_decides(policy),
        policy.description,
    ]


def _dump(standings: Sequence[Standing], form: str) -> None:
    if form == "name":
        for standing in standings:
            say(f"accesspolicy.jitaccess.dev/{standing.policy.key.name}")
        return
    values = [
        {
            "namespace": standing.policy.key.namespace,
            "name": standing.policy.key.name,
            "description": standing.policy.description,
            "roles": [{"kind": role.kind, "name": role.name} for role in standing.policy.roles],
            "maxDuration": format_duration(standing.policy.max_duration),
            "requiredApprovals": standing.policy.required_approvals,
            "approvers": [str(approver) for approver in standing.policy.approvers],
            "mayRequest": standing.may_request,
            "mayApprove": standing.may_approve,
            "notReady": not_ready(standing.policy),
        }
        for standing in standings
    ]
    print(as_json(values, indent=2) if form == "json" else as_yaml(values))


@click.command(cls=options.Command)
@click.argument("policy", required=False, shell_complete=complete_policies)
@click.option("--role", metavar="ROLE", help="Only policies that offer this role.", shell_complete=complete_roles)
@click.option(
    "--user", metavar="USER", help="Ask about this user instead of yourself (needs the right to make SubjectAccessReviews)."
)
@click.option(
    "--group", "groups", metavar="GROUP", multiple=True, help="With --user: their groups, which the cluster cannot know."
)
@connects
@pass_session
def explain(session: Session, policy: str | None, role: str | None, user: str | None, groups: tuple[str, ...]) -> int:
    """May somebody have access here, under which policy, who can approve it, and if not, why not?

    The answers are the API server's own authorization, not a reading of the policies. Exit code 0: they may ask; 3: they may not.
    """
    client = session.client
    person = Person(user or "", usual_groups(user or "", groups)) if user or groups else None
    who = user or (f"a member of {in_words_of(groups)}" if groups else client.me)
    wanted = parse_role(role) if role else None
    found = [
        p for p in client.policies(client.namespace) if policy in (None, p.key.name) and (not wanted or matching(wanted, p.roles))
    ]
    standings = _asked(client, found, person)
    allowed = [standing for standing in standings if standing.may_request and not not_ready(standing.policy)]
    what = f"{wanted.kind or 'role'} {wanted.name}" if wanted else "any role"
    answer = styled("yes, by asking", "bold green") if allowed else styled("no", "bold red")
    say(styled(f"May {who} have {what} in {place(client.namespace)}? ", "bold"), answer)
    if not standings:
        say(_no_policy(client, policy, wanted))
    for standing in standings:
        _say_standing(standing, who, wanted)
    if person is None:
        _say_current(client, wanted)
    _say_next(client, allowed, wanted, person, groups)
    return ExitCode.DONE if allowed else ExitCode.NO


def in_words_of(groups: Sequence[str]) -> str:
    """Groups in words."""
    return f"group {' and '.join(groups)}"


def _asked(client: Client, found: Sequence[AccessPolicy], person: Person | None) -> list[Standing]:
    try:
        return _standings(client, found, person)
    except Refused as refusal:
        if person is None:
            raise
        raise Refused(
            "only those who may create SubjectAccessReviews can ask about others",
            "ask about yourself (without --user), or have them run `kubectl jit explain`",
        ) from refusal


def _no_policy(client: Client, policy: str | None, role: RoleRef | None) -> str:
    named = f" named {policy}" if policy else ""
    offering = f" that offers {role.name}" if role else ""
    return f"There is no policy{named} in {place(client.namespace)}{offering}; without one nobody gets access through jitaccess."


def _say_standing(standing: Standing, who: str, wanted: RoleRef | None) -> None:
    policy = standing.policy
    roles = matching(wanted, policy.roles) if wanted else policy.roles
    say("")
    say(styled(policy.key.name, "bold"), f"  {policy.description}" if policy.description else "")
    risks = [f"{role}: {', '.join(found)}" for role in roles if (found := risks_of(role, None, policy))]
    fields(
        [
            ("  Offers", in_words(roles)),
            ("  At most", format_duration(policy.max_duration)),
            ("  Decided by", who_decides(policy)),
            ("  May ask", _reason(standing, who)),
            ("  May decide", f"yes, though not on {who}'s own requests" if standing.may_approve else "no"),
            ("  Outlives it", styled("; ".join(risks), "bold red") if risks else ""),
        ]
    )


def _reason(standing: Standing, who: str) -> str:
    said = not_ready(standing.policy)
    if said:
        return f"no: the policy is not in force: {said}"
    if standing.may_request:
        return "yes"
    named = in_words(standing.policy.requesters, "or")
    return f"no: {who} does not hold the verb `request` on it; it names {named}"


def _say_current(client: Client, wanted: RoleRef | None) -> None:
    now = datetime.now(UTC)
    for request in _active(client):
        if request.requester == client.me and request.expires_at and (not wanted or matching(wanted, [request.role])):
            say("")
            say(f"You have {request.role} now, through {request.key.name}, which ends {relative(request.expires_at, now)}.")


def _active(client: Client) -> list[AccessRequest]:
    try:
        return [parse_request(item) for item in client.requests(client.namespace, ACTIVE)]
    except Refused:
        return []


def _say_next(
    client: Client, allowed: Sequence[Standing], wanted: RoleRef | None, person: Person | None, groups: Sequence[str]
) -> None:
    if person and person.name and not groups and not allowed:
        note("")
        note("No groups were given, and only a login tells the cluster about groups: add them with --group.")
    if person is None and allowed and err().is_terminal:
        note("")
        role = f" --role {wanted.name}" if wanted else ""
        command(f'kubectl jit request {allowed[0].policy.key.name}{role} -n {client.namespace} --for 1h --reason "..."')
