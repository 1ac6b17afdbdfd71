"""Deciding: `approve`, `deny`, `revoke` and `withdraw` show what is being decided, ask, and add one line to a ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, ExitCode, Refused, UsageError
from jitaccess.cli.api.ledger import checked_text
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_requests
from jitaccess.cli.commands.choosing import parse_name
from jitaccess.cli.commands.dossier import read_dossier
from jitaccess.cli.commands.filters import REVIEWABLE, chosen_requests
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import complain, dump, fields, note, say, styled
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key, Ledger
from jitaccess.domain.recorded import State
from jitaccess.domain.rules import awaited, counting_approvals
from jitaccess.wording.describe import how_long, place, policy_of, times_out
from jitaccess.wording.times import relative


@dataclass(frozen=True, slots=True)
class Verb:
    """One way to decide: the ledger it is written to, the question, and the word for it afterwards."""

    name: str
    ledger: Ledger
    done: str


_APPROVE = Verb("approve", Ledger.APPROVALS, "approved")
_DENY = Verb("deny", Ledger.DENIALS, "denied")
_REVOKE = Verb("revoke", Ledger.REVOCATIONS, "revoked")
_WITHDRAW = Verb("withdraw", Ledger.REVOCATIONS, "withdrawn")


def _command(verb: Verb, help_text: str) -> click.Command:
    @click.command(verb.name, cls=options.Command, help=help_text)
    @click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_requests)
    @options.note
    @options.yes
    @options.output("json", "yaml", "name")
    @connects
    @pass_session
    def decide(session: Session, names: tuple[str, ...], note: str | None, yes: bool, output: str | None) -> int:
        return _decide_all(session, verb, names, note, yes, output)

    return decide


approve = _command(
    _APPROVE,
    "Approve requests, after a look at what they ask for.\n\nWithout a name, offers the requests that wait for you. "
    "Nobody approves their own.",
)
deny = _command(
    _DENY, "Deny requests; one denial wins over any number of approvals.\n\nAccess that was granted already ends at once."
)
revoke = _command(_REVOKE, "End access that was granted, at once.\n\nFor approvers, and for requesters who are done early.")
withdraw = _command(_WITHDRAW, "Take back your own request, or end your own access early.")


def _decide_all(session: Session, verb: Verb, names: Sequence[str], text: str | None, yes: bool, output: str | None) -> int:
    if not yes and not session.interactive:
        raise UsageError("there is no terminal to ask at: look with `kubectl jit show NAME`, then decide with --yes")
    client = session.client
    checked_text(text or "", "note")
    codes = [ExitCode.DONE]
    for key in [parse_name(name, client.namespace) for name in names] or _offered(session, verb):
        try:
            codes.append(_decide(client, verb, key, text, yes, output))
        except CliError as error:
            complain(error.message, error.hint)
            codes.append(error.code)
    return next((code for code in codes if code), ExitCode.DONE)


def _offered(session: Session, verb: Verb) -> list[Key]:
    if not session.interactive or verb is not _APPROVE:
        raise UsageError(f"say which: kubectl jit {verb.name} NAME", "`kubectl jit ls --all` shows what there is")
    waiting = chosen_requests(session.client, session.client.namespace, REVIEWABLE)
    if not waiting:
        note(f"Nothing waits for you in {place(session.client.namespace)}.")
    return [request.key for request, _ in waiting]


def _decide(client: Client, verb: Verb, key: Key, text: str | None, yes: bool, output: str | None) -> ExitCode:
    request = read_request(client.request(key))
    if verb is _WITHDRAW and request.requester != client.me:
        raise Refused(f"{key.name} is {request.requester}'s request", f"kubectl jit revoke {key.name}, if you are an approver")
    if not yes:
        client.decide(key, verb.ledger, text or "", dry_run=True)  # who would be refused is not asked first
        _show(client, request)
        if not click.confirm(f"{verb.name.capitalize()} {request.key.name}?", err=True):
            note(f"Nothing was changed; {key.name} stays as it is.")
            return ExitCode.ERROR
        if text is None and verb is not _APPROVE:
            text = checked_text(click.prompt("Why, for the record", default="", show_default=False, err=True), "note")
    manifest = client.decide(key, verb.ledger, text or "")
    if output:
        dump(manifest, output)
    else:
        decided = read_request(manifest)
        say(f"accessrequest/{key.name} {verb.done}{_effect(verb, decided, client.policy_if_any(decided.policy))}")
    return ExitCode.DONE


def _effect(verb: Verb, request: AccessRequest, policy: AccessPolicy | None) -> str:
    if verb is not _APPROVE:
        return ": the access ends now" if request.state is State.ACTIVE else ""
    if policy is None or request.state is not State.PENDING:
        return ""
    given = len(counting_approvals(request))
    return f": {awaited(policy, given)}" if given < policy.required_approvals else ": the access begins now"


def _show(client: Client, request: AccessRequest) -> None:
    now = datetime.now(UTC)
    dossier = read_dossier(client, request)
    state = [request.key.name, str(request.state), f"asked {relative(request.created, now)}", times_out(request, now)]
    allows = dossier.role.brief or ["nothing"]
    note(styled(request.requester, "bold"), f" asks for {request.role} in {place(request.key.namespace)}")
    fields(
        [
            ("Request", ", ".join(part for part in state if part)),
            ("Why", request.reason),
            ("For", how_long(request, now)),
            ("Policy", policy_of(request, dossier.policy)),
            *(("Approved", f"by {approval.by}: {approval.note}") for approval in counting_approvals(request)),
            *(("Allows" if n == 0 else "", line) for n, line in enumerate(allows)),
            *dossier.role_warnings,
        ],
        to_stderr=True,
    )
