"""Who decided what about a request, and when: the ledgers, with the times that the operator recorded. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitaccess.domain.model import AccessRequest, Decision
from jitaccess.domain.recorded import Signed, end_of


@dataclass(frozen=True, slots=True)
class LedgerLine:
    """One decision of one person, by its verb; `at` is when the operator recorded it, None while it has not."""

    verb: str
    by: str
    note: str
    at: datetime | None
    stage: str = ""
    length: timedelta | None = None


def decisions(request: AccessRequest) -> list[LedgerLine]:
    """Every decision in the ledgers, approvals first, each in the order in which they were made."""
    recorded = request.recorded
    end = end_of(recorded.history)
    last = [Signed(end.by, "", end.at)] if end and end.by else []
    reviewed = [Signed(each.by, each.note, each.at) for each in recorded.review.found] if recorded.review else []
    return [
        *_lines("approved", request.approvals, recorded.approvals),
        *_lines("denied", request.denials, (*last, *_if_any(recorded.denial))),
        *_lines("revoked", request.revocations, (*last, *_if_any(recorded.revocation))),
        *_lines("reviewed", request.reviews, reviewed),
    ]


def _lines(verb: str, ledger: Iterable[Decision], recorded: Iterable[Signed]) -> list[LedgerLine]:
    times = {(signed.by, signed.stage): signed.at for signed in recorded}
    return [LedgerLine(verb, line.by, line.note, times.get((line.by, line.stage)), line.stage, line.length) for line in ledger]


def _if_any(signed: Signed | None) -> tuple[Signed, ...]:
    return (signed,) if signed else ()
