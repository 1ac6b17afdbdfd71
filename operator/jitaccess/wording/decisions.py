"""Who decided what about a request, and when: the ledgers, with the times that the operator recorded. Pure."""

from dataclasses import dataclass

from jitaccess.domain.model import AccessRequest, Decision, Manifest


@dataclass(frozen=True, slots=True)
class Made:
    """One decision of one person; `at` is empty while the operator has not recorded it."""

    verb: str
    by: str
    note: str
    at: str


def decisions(request: AccessRequest) -> list[Made]:
    """Every decision in the ledgers, approvals first, each in the order in which they were made."""
    status = request.status or {}
    approved = {entry["by"]: entry["at"] for entry in status.get("approvals") or ()}
    return [
        *_made("approved", request.approvals, approved),
        *_made("denied", request.denials, _recorded(status, "denial")),
        *_made("revoked", request.revocations, _recorded(status, "revocation")),
    ]


def _made(verb: str, lines: tuple[Decision, ...], times: dict[str, str]) -> list[Made]:
    return [Made(verb, line.by, line.note, times.get(line.by, "")) for line in lines]


def _recorded(status: Manifest, field: str) -> dict[str, str]:
    """When that decision was recorded, by person; the last entry of the history tells where the field does not."""
    last = (status.get("history") or [{}])[-1]
    entries = [status.get(field) or {}, last if status.get("settled") else {}]
    return {entry["by"]: entry["at"] for entry in reversed(entries) if entry.get("by")}
