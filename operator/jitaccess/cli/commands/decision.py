"""One decision about one request: what is shown before it, the note that it needs, and the line that it adds to a ledger."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import Refused, UsageError
from jitaccess.cli.api.ledger import checked_text
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.commands.background import background
from jitaccess.cli.commands.dossier import read_dossier
from jitaccess.cli.commands.effect import Effect
from jitaccess.cli.commands.prompting import prompted
from jitaccess.cli.commands.standing import held_stages
from jitaccess.cli.terminal.output import dump, fields, note, say, styled
from jitaccess.domain.approved import as_written, whose
from jitaccess.domain.counting import counting_approvals
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision, Ledger, Manifest, approvals_of
from jitaccess.domain.recorded import State
from jitaccess.domain.text import format_duration
from jitaccess.manifests.ledgers import parse_approvals
from jitaccess.wording.describe import how_long, place, policy_of, reference, still_awaited, times_out
from jitaccess.wording.stages import stage_lines
from jitaccess.wording.times import relative

_REHEARSAL = "a dry run"  # the note of a decision that is only tried, under a policy that asks for one


@dataclass(frozen=True, slots=True)
class Verb:
    """One way to decide: the ledger it is written to, the question, and the word for it afterwards."""

    name: str
    ledger: Ledger
    done: str


@dataclass(frozen=True, slots=True)
class Terms:
    """How to approve: in which stage (empty: the one that is mine), and for how long at most (None: all that was asked for)."""

    stage: str = ""
    length: timedelta | None = None


AS_ASKED = Terms()


APPROVE = Verb("approve", Ledger.APPROVALS, "approved")
DENY = Verb("deny", Ledger.DENIALS, "denied")
REVOKE = Verb("revoke", Ledger.REVOCATIONS, "revoked")
WITHDRAW = Verb("withdraw", Ledger.REVOCATIONS, "withdrawn")


class Case:
    """A request that somebody is about to decide, with what belongs to it."""

    def __init__(self, client: Client, effect: Effect, request: AccessRequest, terms: Terms = AS_ASKED) -> None:
        self._client = client
        self._terms = terms
        self._effect = effect
        self._request = request

    def show(self) -> None:
        """Print what is being decided, and who asks."""
        request, now = self._request, self._client.now()
        state = [request.key.name, str(request.state), f"asked {relative(request.created, now)}", times_out(request, now)]
        dossier = read_dossier(self._client, request, self._policy)
        allows = dossier.role.brief or ["nothing"]
        note(styled(request.requester, "bold"), f" asks for {request.role} in {place(request.key.namespace)}")
        fields(
            [
                ("Request", ", ".join(part for part in state if part)),
                ("Why", request.reason),
                ("Ticket", request.ticket),
                ("For", how_long(request, now)),
                *background(self._client, request, now),
                ("Policy", policy_of(request, dossier.policy)),
                *(("" if n else "Stages", line) for n, line in enumerate(stage_lines(request))),
                *(("Approved", f"by {whose(approval)}: {approval.note}") for approval in counting_approvals(request)),
                *(("Allows" if n == 0 else "", line) for n, line in enumerate(allows)),
                *dossier.role_warnings,
            ],
            to_stderr=True,
        )

    def rehearse(self, verb: Verb, text: str) -> None:
        """Try a decision as a dry run: Refused if the API server would not take it."""
        self._decide(verb, text or _REHEARSAL * self._needs_note(verb), dry_run=True)

    def note(self, verb: Verb, text: str | None, *, ask: bool) -> str:
        """The note of a decision, asked for where one is needed or would be good to have."""
        if text and text.strip():
            return text
        needed = self._needs_note(verb)
        if not needed and text is not None:
            return text
        if ask and needed:
            return prompted(f"Why, for the record (policy {self._request.policy.key.name} asks for a note)", _written)
        if needed:
            raise UsageError(f"policy {self._request.policy.key.name} asks for a note: say why with -m TEXT")
        if not ask or verb is APPROVE:
            return ""
        return prompted("Why, for the record", lambda typed: checked_text(typed, "note"), default="")

    def decide(self, verb: Verb, text: str, output: str | None) -> None:
        """Add the line to the ledger, and print what came of it."""
        manifest = self._decide(verb, text)
        if output:
            dump(manifest, output)
            return
        decided = read_request(manifest)
        policy = self._client.policy_if_any(decided.policy) if verb is APPROVE else None
        say(f"{reference(decided.key)} {verb.done}{self._effect.of(verb.ledger, decided, policy)}")

    def report_rehearsal(self, verb: Verb, text: str, output: str | None) -> None:
        """Try a decision, and print what would come of it."""
        manifest = self._decide(verb, text, dry_run=True)
        if output:
            dump(manifest, output)
            return
        decided = read_request(manifest)
        say(f"The API server would accept this: {decided.key.name} {verb.done} by {self._client.me}. Nothing was changed.")
        left = still_awaited(decided, self._policy) if verb is APPROVE else ""
        if left:
            say(f"Then: {left}.")

    def _decide(self, verb: Verb, text: str, dry_run: bool = False) -> Manifest:
        if verb is not APPROVE:
            return self._end(verb, text, dry_run)
        if self._lacks_stages:
            self._request = self._effect.staged(self._request)
        return self._client.decide(self._request.key, approvals_of(self._stage), self._limited(text), dry_run)

    def _end(self, verb: Verb, text: str, dry_run: bool) -> Manifest:
        """Deny or end; before its stages are on record, whoever decides in one is refused like anybody else, and asks again."""
        try:
            return self._client.decide(self._request.key, verb.ledger, text, dry_run)
        except Refused:
            if verb is WITHDRAW or not self._lacks_stages:
                raise
        self._request = self._effect.staged(self._request)
        return self._client.decide(self._request.key, verb.ledger, text, dry_run)

    @property
    def _lacks_stages(self) -> bool:
        """Whether the policy has stages, and the operator has recorded none of them of this request."""
        waits = self._request.state is State.PENDING and not self._request.recorded.stages
        return waits and self._policy is not None and bool(self._policy.stages)

    def _limited(self, text: str) -> str:
        """The note, with what makes the access shorter in front."""
        length = self._terms.length
        if length is None:
            return text
        [noted] = parse_approvals({Ledger.APPROVALS: f"x: {text}"})
        if noted.length or noted.unclear:
            raise UsageError("the note says for how long too: leave --for out, or what stands in the bracket")
        if length > self._request.duration:
            asked = format_duration(self._request.duration)
            raise UsageError(f"{self._request.key.name} asks for {asked}: --for may be less, never more")
        return as_written(Decision(self._client.me, text, length=length))

    def _needs_note(self, verb: Verb) -> bool:
        if verb is not APPROVE:
            return False
        return self._request.recorded.note_required or (self._policy is not None and self._policy.note_required)

    @cached_property
    def _stage(self) -> str:
        """The stage to approve in: the one that was named, or the only one that is open and mine; empty where there are none."""
        name, stages = self._request.key.name, [stage.name for stage in self._request.recorded.stages]
        if self._terms.stage and self._terms.stage not in stages:
            there = f"its stages are {', '.join(stages)}" if stages else "it is not approved in stages"
            raise UsageError(f"{name} has no stage {self._terms.stage}: {there}")
        if self._terms.stage or not stages:
            return self._terms.stage
        held = held_stages(self._client, self._request)
        if not held:
            raise Refused(
                f"no stage of {name} that is open is yours: {'; '.join(stage_lines(self._request))}",
                f"kubectl jit explain {self._request.policy.key.name}",
            )
        if len(held) > 1:
            several = f"{' and '.join(held)} are open, and yours, and a person counts in one stage only"
            raise UsageError(several, "say which: --stage NAME")
        return held[0]

    @cached_property
    def _policy(self) -> AccessPolicy | None:
        return self._client.policy_if_any(self._request.policy)


def check_withdrawal(client: Client, request: AccessRequest) -> None:
    """Refused unless the request is one's own."""
    if request.requester != client.me:
        name = request.key.name
        raise Refused(f"{name} is {request.requester}'s request", f"kubectl jit revoke {name}, if you are an approver")


def _written(typed: str) -> str:
    """A note with something in it."""
    if not typed.strip():
        raise UsageError("say why in words")
    return checked_text(typed.strip(), "note")
