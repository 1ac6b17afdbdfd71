"""What the record says of one request: whole, for programs, and as a row of a spreadsheet with one fact in each column."""

from collections.abc import Iterable, Sequence
from typing import Any

from jitaccess.cli.api.deletions import Deletion
from jitaccess.cli.terminal.output import escaped
from jitaccess.domain.counting import counting_approvals
from jitaccess.domain.model import AccessRequest, Decision
from jitaccess.domain.recorded import Review, end_of
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.text import format_duration, format_time
from jitaccess.manifests.approvals import terms_of
from jitaccess.manifests.gone import approval_facts, time_fact
from jitaccess.manifests.roles import role_status
from jitaccess.manifests.status import entry_status
from jitaccess.wording.decisions import LedgerLine, decisions
from jitaccess.wording.history import signed_of
from jitaccess.wording.roles import in_full

APPROVERS = 3  # approvals that have columns of their own; `decisions` has all of them
_ASKED = (
    *(
        "namespace",
        "name",
        "uid",
        "requester",
        "requesterGroups",
        "policyKind",
        "policy",
        "policyUid",
        "policyGeneration",
        "roleKind",
        "role",
    ),
    *("duration", "reason", "ticket", "startTime"),
)
_SHOWN = ("roleUid", "roleHash", "roleAllows", "roleRisks")
_BECAME = ("state", "message", "requestedAt", "grantedAt", "expiresAt", "settledAt", "endReason", "endedBy", "endNote")
_EMERGENCY = ("emergency", "reviewDue", "review", "reviewedBy", "reviewedAt", "reviewNote")
_APPROVED = tuple(
    f"{fact}{n or ''}"
    for n in (0, *range(2, APPROVERS + 1))
    for fact in ("approver", "approvedAt", "approvalNote", "approvalStage", "approvalFor")
)
CSV_COLUMNS = (*_ASKED, *_SHOWN, *_BECAME, "requiredApprovals", *_APPROVED, *_EMERGENCY, "binding", "decisions")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def record(request: AccessRequest) -> dict[str, Any]:
    """One request with its decisions, the rules of its role as they were shown, and its history as lists."""
    recorded, policy = request.recorded, request.recorded.policy
    granted = recorded.condition("Granted")
    return {
        "namespace": request.key.namespace,
        "name": request.key.name,
        "uid": request.uid,
        "requester": request.requester,
        "requesterGroups": list(request.groups),
        "policyKind": request.policy.kind,
        "policy": request.policy.key.name,
        "policyUid": policy.uid if policy else "",
        "policyGeneration": policy.generation if policy else None,
        "roleKind": request.role.kind,
        "role": request.role.name,
        **_role_facts(recorded.role),
        "duration": format_duration(request.duration),
        "reason": request.reason,
        "ticket": request.ticket,
        "startTime": time_fact(request.start),
        "state": str(request.state),
        "message": granted.message if granted else "",
        "requestedAt": format_time(request.created),
        "grantedAt": time_fact(recorded.granted_at),
        "expiresAt": time_fact(recorded.expires_at),
        "settledAt": time_fact(recorded.settled_at),
        **_end_facts(request),
        **_review_facts(recorded.review),
        "requiredApprovals": recorded.required_approvals,
        "approvals": [approval_facts(line) for line in _counting(request)],
        "binding": recorded.binding.name if recorded.binding else "",
        "decisions": [
            {"verb": d.verb, "by": d.by, "note": d.note, "at": time_fact(d.at)} | terms_of(d) for d in decisions(request)
        ],
        "history": [entry_status(entry) for entry in recorded.history],
    }


_LISTS = ("requesterGroups", "roleRules", "roleRisks", "roleHints", "approvals", "decisions", "history")
_NUMBERS = ("policyGeneration", "requiredApprovals", "roleOmittedRules")


def gap(deletion: Deletion) -> dict[str, Any]:
    """A request whose record was deleted, with the fields of the others: empty but for what is known."""
    known = {
        "namespace": deletion.request.namespace,
        "name": deletion.request.name,
        "uid": deletion.uid,
        "state": "Deleted",
        "message": deletion.message,
        "settledAt": format_time(deletion.at),
        "endReason": "RequestDeleted",
    }
    texts = dict.fromkeys((*_ASKED, "roleUid", "roleHash", "roleAllows", *_BECAME, "binding"), "") | _review_facts(None)
    return texts | dict.fromkeys(_NUMBERS) | {field: [] for field in _LISTS} | deletion.known | known


def row(fields: dict[str, Any]) -> list[str]:
    """A record in the columns of the spreadsheet: escaped, and never a formula."""
    approved = {
        f"{fact}{n + 1 if n else ''}": value for n, each in enumerate(fields["approvals"]) for fact, value in each.items()
    }
    lists = {column: "; ".join(fields[column]) for column in ("requesterGroups", "roleRisks")}
    marked = {"emergency": "true" if fields["emergency"] else ""}
    flat = fields | lists | marked | {"decisions": _sentence(fields["decisions"])} | approved
    return [cell(flat.get(column)) for column in CSV_COLUMNS]


def cell(value: Any) -> str:
    """One field for a spreadsheet: escaped, and never a formula."""
    text = "" if value is None else escaped(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _role_facts(shown: ShownRole | None) -> dict[str, Any]:
    """The role as it was shown for approval; empty where nothing was."""
    if shown is None:
        return {"roleUid": "", "roleHash": "", "roleAllows": "", "roleRules": [], "roleOmittedRules": None} | _no_dangers()
    status = role_status(shown)
    words = (f"{verbs}: {', '.join(objects)}" if objects else verbs for verbs, objects in in_full(shown).items())
    return {
        "roleUid": shown.uid,
        "roleHash": shown.digest,
        "roleAllows": "; ".join(words),
        "roleRules": status["rules"],
        "roleOmittedRules": shown.omitted,
        "roleRisks": status["risks"],
        "roleHints": status["hints"],
    }


def _no_dangers() -> dict[str, Any]:
    return {"roleRisks": [], "roleHints": []}


def _end_facts(request: AccessRequest) -> dict[str, str]:
    """Why it ended, whose decision that was, and what they wrote; empty while it has not."""
    last = end_of(request.recorded.history)
    if last is None:
        return {"endReason": "", "endedBy": "", "endNote": ""}
    signed = signed_of(last, request) if last.by else None
    return {"endReason": last.reason, "endedBy": last.by, "endNote": signed.note if signed else ""}


def _review_facts(review: Review | None) -> dict[str, Any]:
    """Of emergency access, what became of its review: `owed`, `fine` or `misuse`, and of several the first that says so."""
    first = next((each for each in review.found if each.finding is review.finding), None) if review else None
    return {
        "emergency": review is not None,
        "reviewDue": time_fact(review.due) if review else "",
        "review": first.finding.value if first else "owed" if review and review.due else "",
        "reviewedBy": first.by if first else "",
        "reviewedAt": time_fact(first.at) if first else "",
        "reviewNote": first.note if first else "",
    }


def _counting(request: AccessRequest) -> Iterable[LedgerLine]:
    counting: Sequence[Decision] = counting_approvals(request)
    times = {(line.by, line.stage): line.at for line in decisions(request) if line.verb == "approved"}
    return (LedgerLine("approved", a.by, a.note, times.get((a.by, a.stage)), a.stage, a.length) for a in counting)


def _sentence(entries: Sequence[dict[str, str]]) -> str:
    return "; ".join(_decision(**entry) for entry in entries)


def _decision(verb: str, by: str, note: str, at: str, stage: str = "", duration: str = "") -> str:
    when = f" ({at})" if at else ""
    terms = (f" in stage {stage}" if stage else "") + (f" for {duration}" if duration else "")
    return f"{verb} by {by or 'somebody'}{terms}{when}" + (f": {note}" if note else "")
