"""What the operator makes of a request before and after a decision: as it is on record a moment later, not as it was meant."""

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, Outage, TimedOut
from jitaccess.cli.commands.waiting import Seen, seen_until
from jitaccess.domain.model import AccessPolicy, AccessRequest, Ledger
from jitaccess.domain.recorded import State
from jitaccess.wording.describe import outcome, still_awaited
from jitaccess.wording.unseen import operator_words

_PATIENCE = 5.0  # seconds that an operator has to act on a decision
_IN_VAIN = 0.5  # once that was in vain: nobody waits for each of fifty


class Effect:
    """Waits for what decisions rest on and bring about, and puts it into words."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._patience = _PATIENCE

    def staged(self, request: AccessRequest) -> AccessRequest:
        """The request with its stages on record, without which nobody can decide in one; TimedOut where that does not come."""
        seen = seen_until(self._client, request.key, None, self._patience, _has_its_stages)
        if seen.enough:
            return seen.request
        self._patience = _IN_VAIN
        why = seen.trouble or operator_words(self._client.operator_heard(), self._client.now())
        looked = "has not looked at it yet" if seen.request.recorded.unseen else "has not recorded them yet"
        raise TimedOut(
            f"nobody can decide in a stage of {request.key.name} now: the operator {looked} ({why})",
            "try again in a moment; nothing begins meanwhile",
        )

    def of(self, ledger: Ledger, decided: AccessRequest, policy: AccessPolicy | None) -> str:
        """What there is to say after `approved` or `denied`, with its punctuation; empty where nothing was to come of it yet."""
        if ledger is Ledger.APPROVALS:
            return self._of_approval(decided, policy)
        return self._of_ending(decided) if decided.state is State.ACTIVE else ""

    def _of_approval(self, decided: AccessRequest, policy: AccessPolicy | None) -> str:
        if decided.state is not State.PENDING or policy is None:
            return ""
        if missing := still_awaited(decided, policy):
            return f": {missing}"
        seen = self._seen(decided, "granted")
        if isinstance(seen, str):
            return seen
        words = outcome(seen.request, policy, self._client.now())
        meant = seen.request.state in (State.SCHEDULED, State.ACTIVE)
        return f": {words}" if meant else f", but it is {seen.request.state}: {words}"

    def _of_ending(self, decided: AccessRequest) -> str:
        seen = self._seen(decided, "ended")
        return seen if isinstance(seen, str) else ": the access has ended"

    def _seen(self, decided: AccessRequest, meant: str) -> Seen | str:
        """The request in another state than before; in words why it is not, as far as that is known."""
        try:
            seen = seen_until(self._client, decided.key, None, self._patience, lambda request: _is_other(request, decided))
        except Outage as outage:
            return f"; what came of it is not known: {outage.message}"
        except CliError as error:  # it was deleted
            return f"; {error.message}"
        if seen.enough:
            return seen
        self._patience = _IN_VAIN
        if seen.trouble:
            return f"; what came of it is not known: {seen.trouble}"
        return f", but not {meant} yet: {operator_words(self._client.operator_heard(), self._client.now())}"


def _has_its_stages(request: AccessRequest) -> bool:
    return bool(request.recorded.stages) or request.state is not State.PENDING


def _is_other(request: AccessRequest, decided: AccessRequest) -> bool:
    """Whether a decision has had its effect: another state, or approved and waiting for its window."""
    return request.state is not decided.state or (request.recorded.starts_at is not None and not decided.recorded.starts_at)
