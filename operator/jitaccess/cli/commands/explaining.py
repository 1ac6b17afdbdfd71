"""Explaining: `explain` answers "may they?", "who decides?" and "why not?"."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import ExitCode, Refused
from jitaccess.cli.api.reading import read_requests
from jitaccess.cli.api.reviews import Person, usual_groups
from jitaccess.cli.api.selectors import ACTIVE
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_people, complete_policies, complete_roles
from jitaccess.cli.commands.choosing import chosen_duration, matching, parse_role
from jitaccess.cli.commands.locked import kept_out
from jitaccess.cli.commands.options import connects
from jitaccess.cli.commands.rights import Rights, dump_rights, of_concern, rights_under
from jitaccess.cli.commands.usage import unreviewed_seen, usage_seen
from jitaccess.cli.commands.wishes import Wish
from jitaccess.cli.terminal.output import command, err, fields, note, say, styled
from jitaccess.domain.circumstances import Unreviewed
from jitaccess.domain.model import AccessPolicy, AccessRequest, RoleRef
from jitaccess.domain.rules import in_words, selected
from jitaccess.domain.text import format_duration
from jitaccess.wording.beginnings import when_it_may_begin
from jitaccess.wording.describe import option, place, who_decides
from jitaccess.wording.history import ends
from jitaccess.wording.roles import role_now
from jitaccess.wording.terms import limits, ticket_form
from jitaccess.wording.unseen import change_unseen


@dataclass(frozen=True, slots=True)
class Question:
    """What `explain` is asked: about a policy, about a role, about somebody; empty means any, or oneself."""

    policy: str
    role: RoleRef | None
    user: str
    groups: tuple[str, ...]

    @property
    def person(self) -> Person | None:
        """Whom to ask the API server about; None for oneself."""
        return Person(self.user, usual_groups(self.user, self.groups)) if self.user or self.groups else None

    def who(self, client: Client) -> str:
        """The person in words."""
        return self.user or (f"a member of group {' and '.join(self.groups)}" if self.groups else client.me)

    def about(self, policy: AccessPolicy) -> bool:
        """Whether the question is about this policy."""
        return self.policy in ("", policy.key.name) and (self.role is None or bool(matching(self.role, policy.roles)))

    def nothing(self, namespace: str) -> str:
        """What there is to say when no policy fits."""
        named = f" named {self.policy}" if self.policy else ""
        offering = f" that offers {self.role.name}" if self.role else ""
        return f"There is no policy{named} in {place(namespace)}{offering}; without one nobody gets access through jitaccess."


@click.command(cls=options.Command)
@click.argument("policy", required=False, shell_complete=complete_policies)
@click.option("--role", metavar="ROLE", help="Only policies that offer this role.", shell_complete=complete_roles)
@click.option(
    "--user",
    metavar="USER",
    help="Ask about this user instead of yourself (needs the right to make SubjectAccessReviews).",
    shell_complete=complete_people,
)
@click.option(
    "--group", "groups", metavar="GROUP", multiple=True, help="With --user: their groups, which the cluster cannot know."
)
@options.output("json", "yaml")
@connects
@pass_session
def explain(
    session: Session, policy: str | None, role: str | None, user: str | None, groups: tuple[str, ...], output: str | None
) -> int:
    """May somebody have access here, under which policy, who can approve it, and if not, why not?

    The answers are the API server's own authorization, not a reading of the policies. Exit code 0: they may ask; 3: they may not.
    """
    client = session.client
    question = Question(policy or "", parse_role(role) if role else None, user or "", groups)
    try:
        rights = rights_under(client, [p for p in client.policies(client.namespace) if question.about(p)], question.person)
    except Refused as refusal:
        return _unanswerable(client, question, refusal)
    rights = rights if question.policy else of_concern(rights)
    allowed = [one for one in rights if one.allowed]
    stopped = "" if groups and not user else kept_out(session, question.user, allowed)
    allowed = [] if stopped else allowed
    if output:
        dump_rights(rights, output)
        return ExitCode.DONE if allowed else ExitCode.NO
    _say_answer(client, question, allowed=bool(allowed), known=not any(one.unseen and not one.allowed for one in rights))
    if stopped:
        say(stopped)
    if not rights:
        say(question.nothing(client.namespace))
    for one in rights:
        _say_rights(client, one, question, locked=bool(stopped))
    if question.person is None:
        _say_current(client, question)
    _say_next(client, question, allowed)
    return ExitCode.DONE if allowed else ExitCode.NO


def _say_answer(client: Client, question: Question, *, allowed: bool, known: bool = True) -> None:
    no = styled("no" if known else "not yet", "bold red" if known else "bold yellow")
    answer = styled("yes, by asking", "bold green") if allowed else no
    what = f"{question.role.kind or 'role'} {question.role.name}" if question.role else "any role"
    say(styled(f"May {question.who(client)} have {what} in {place(client.namespace)}? ", "bold"), answer)


def _unanswerable(client: Client, question: Question, refusal: Refused) -> int:
    if question.person is not None:
        raise Refused(
            "only those who may create SubjectAccessReviews, and see the policies here, can ask about others",
            "ask about yourself (without --user), or have them run `kubectl jit explain`",
        ) from refusal
    _say_answer(client, question, allowed=False)
    say(refusal.message)
    note(refusal.hint)
    return ExitCode.NO


def _say_rights(client: Client, rights: Rights, question: Question, *, locked: bool) -> None:
    policy, wanted, who, mine = rights.policy, question.role, question.who(client), question.person is None
    usage = usage_seen(client, policy, client.namespace) if mine else None
    owed = unreviewed_seen(client, _any_wish(client, policy), policy) if mine else ()
    roles = matching(wanted, policy.roles) if wanted else policy.roles
    say("")
    say(styled(policy.key.name, "bold"), f"  {policy.description}" if policy.description else "")
    risks = [f"{role}: {', '.join(found)}" for role in roles if (found := role_now(role, None, policy).risks)]
    fields(
        [
            ("  Offers", in_words(roles)),
            ("  At most", format_duration(policy.max_duration)),
            ("  Begins", when_it_may_begin(policy)),
            ("  Scheduled", "if asked for, up to 30 days ahead: --at, --in" if policy.allow_scheduling else ""),
            ("  Decided by", who_decides(policy)),
            ("  Ticket", ticket_form(policy)),
            ("  Limits", "; ".join(limits(policy, usage))),
            ("  May ask", _reason(rights, who, locked=locked)),
            ("  May decide", _decides(rights, who)),
            ("  May review", _may_review(rights, who, owed)),
            ("  Outlives it", styled("; ".join(risks), "bold red") if risks else ""),
            ("  Note", change_unseen(policy) if rights.allowed else ""),
        ]
    )


def _any_wish(client: Client, policy: AccessPolicy) -> AccessRequest:
    """Something that I might ask for under a policy."""
    return Wish(policy, policy.roles[0], policy.max_duration, "").request(client.namespace, client.me, client.now())


def _decides(rights: Rights, who: str) -> str:
    stages = [f"in stage {stage}" for stage in rights.stages]
    return f"yes, {''.join(f'{part}, ' for part in stages)}though not on {who}'s own requests" if rights.may_approve else "no"


def _may_review(rights: Rights, who: str, owed: Sequence[Unreviewed]) -> str:
    """Of a policy for emergencies: whether they review, and whether it keeps people waiting for that, and them for which."""
    emergency = rights.policy.emergency
    if emergency is None:
        return ""
    may = f"yes, though not {who}'s own access" if rights.may_review else "no"
    waits = f", and that of {in_words(each.key.name for each in owed)} is still to come" if owed else ""
    return f"{may}; no second one before the review of the first{waits}" if emergency.block_until_reviewed else may


def _reason(rights: Rights, who: str, *, locked: bool) -> str:
    if rights.allowed:
        return "not now, though it names them: see above" if locked else "yes"
    if rights.unseen:
        return f"not yet: {rights.unseen}"
    if rights.not_ready:
        return f"no: the policy is not in force: {rights.not_ready}"
    named = in_words(rights.policy.requesters, "or")
    reach = f", for {selected(rights.policy)}" if rights.policy.selector else ""
    return f"no: {who} does not hold the verb `request` on it; it names {named}{reach}"


def _say_current(client: Client, question: Question) -> None:
    now = client.now()
    try:
        active, _ = read_requests(client.requests(client.namespace, ACTIVE))
    except Refused:
        return
    for request, _ in active:
        asked = not question.role or matching(question.role, [request.role])
        if request.requester == client.me and request.recorded.expires_at and asked:
            say("")
            say(f"You have {request.role} now, through {request.key.name}, which {ends(request, now)}.")


def _say_next(client: Client, question: Question, allowed: Sequence[Rights]) -> None:
    if question.user and not question.groups and not allowed:
        note("")
        note("No groups were given, and only a login tells the cluster about groups: add them with --group.")
    if question.person is None and allowed and err().is_terminal:
        policy = allowed[0].policy
        role = question.role.name if question.role else policy.roles[0].name
        length = format_duration(chosen_duration("", policy))
        note("")
        command(f'kubectl jit request {policy.key.name} --role {role} {option(client.namespace)} --for {length} --reason "..."')
