"""Exporting the record, for auditors."""

import csv
import itertools
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from jitaccess.cli.api.deletions import Deletion
from jitaccess.cli.api.errors import ExitCode, Refused, UsageError
from jitaccess.cli.api.reading import read_requests
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.filters import since, warn_left_out
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import as_json, escaped, note
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.text import format_duration, format_time
from jitaccess.manifests.status import entry_status
from jitaccess.wording.decisions import decisions

CSV_COLUMNS = (
    *(
        "namespace",
        "name",
        "uid",
        "requester",
        "policy",
        "policyUid",
        "policyGeneration",
        "roleKind",
        "role",
        "duration",
        "reason",
    ),
    *("roleHash", "state", "message", "requestedAt", "grantedAt", "expiresAt", "settledAt", "requiredApprovals", "binding"),
    "decisions",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@click.command(cls=options.Command)
@click.option("--since", "back", metavar="TIME", default="30d", show_default=True, help="How far back: 30d, 12h, or a date.")
@click.option("--until", "end", metavar="TIME", help="Only requests made before this: 7d (ago), or a date.")
@options.everywhere
@click.option("-o", "--output", type=click.Choice(["csv", "json", "jsonl"]), default="csv", show_default=True, help="The format.")
@connects
@pass_session
def export(session: Session, back: str, end: str | None, everywhere: bool, output: str) -> int:
    """Write out every request that was open at any time in the period, with all times and decisions, oldest first.

    Requests stay in the cluster for the operator's retention time after they are settled (30 days by default): export
    more often than that. Of an open request that somebody deleted, there is a row with the state Deleted for as long as
    the cluster keeps the operator's Event (one hour by default), if you may read Events. In csv, text that a spreadsheet
    would run as a formula begins with an apostrophe.
    """
    now = datetime.now(UTC)
    start, stop = since(back, now), since(end, now) if end else now
    if start > stop:
        raise UsageError(f"the period ends before it begins: {format_time(start)} to {format_time(stop)}")
    found, unreadable = read_requests(session.client.requests(session.scope(everywhere)))
    chosen = sorted((r for r, _ in found if _overlaps(r, start, stop)), key=lambda request: (request.created, request.key))
    gone = [each for each in _deletions(session, everywhere) if start <= each.at <= stop]
    _WRITERS[output](itertools.chain(map(record, chosen), map(gap, gone)))
    note(f"{len(chosen)} requests, {format_time(start)} to {format_time(stop)}")
    if gone:
        note(f"and {len(gone)} that somebody deleted, as Events report it; the proof is the API server's audit log")
    warn_left_out(unreadable)
    return ExitCode.ERROR if unreadable else ExitCode.DONE


def _deletions(session: Session, everywhere: bool) -> list[Deletion]:
    try:
        return sorted(session.client.deletions(session.scope(everywhere)), key=lambda each: (each.at, each.request))
    except Refused:
        note("requests that somebody deleted are not in it: you may not read Events there")
        return []


def _overlaps(request: AccessRequest, start: datetime, stop: datetime) -> bool:
    settled = request.recorded.settled_at
    return request.created <= stop and (settled is None or settled >= start)


def record(request: AccessRequest) -> dict[str, Any]:
    """One request as a flat record, with its decisions and its history as lists."""
    recorded, policy = request.recorded, request.recorded.policy
    granted = recorded.condition("Granted")
    return {
        "namespace": request.key.namespace,
        "name": request.key.name,
        "uid": request.uid,
        "requester": request.requester,
        "policy": request.policy.key.name,
        "policyUid": policy.uid if policy else "",
        "policyGeneration": policy.generation if policy else None,
        "roleKind": request.role.kind,
        "role": request.role.name,
        "roleHash": recorded.role.digest if recorded.role else "",
        "duration": format_duration(request.duration),
        "reason": request.reason,
        "state": str(request.state),
        "message": granted.message if granted else "",
        "requestedAt": format_time(request.created),
        "grantedAt": _time(recorded.granted_at),
        "expiresAt": _time(recorded.expires_at),
        "settledAt": _time(recorded.settled_at),
        "requiredApprovals": recorded.required_approvals,
        "binding": recorded.binding.name if recorded.binding else "",
        "decisions": [{"verb": d.verb, "by": d.by, "note": d.note, "at": _time(d.at)} for d in decisions(request)],
        "history": [entry_status(entry) for entry in recorded.history],
    }


def gap(deletion: Deletion) -> dict[str, Any]:
    """A request whose record was deleted, in the columns of the others: empty but for what is known."""
    known = {
        "namespace": deletion.request.namespace,
        "name": deletion.request.name,
        "uid": deletion.uid,
        "state": "Deleted",
        "message": deletion.message,
        "settledAt": format_time(deletion.at),
    }
    unknown: dict[str, Any] = {"policyGeneration": None, "requiredApprovals": None, "decisions": [], "history": []}
    return dict.fromkeys((*CSV_COLUMNS, "history"), "") | unknown | known


def _time(moment: datetime | None) -> str:
    return format_time(moment) if moment else ""


def _write_json(records: Iterator[dict[str, Any]]) -> None:
    click.echo(as_json(list(records), indent=2))


def _write_jsonl(records: Iterator[dict[str, Any]]) -> None:
    for line in records:
        click.echo(as_json(line))


def _write_csv(records: Iterator[dict[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for line in records:
        writer.writerow([cell(line[column]) for column in CSV_COLUMNS])


def cell(value: Any) -> str:
    """One field for a spreadsheet: escaped, and never a formula."""
    if isinstance(value, list):
        value = "; ".join(_decision(**entry) for entry in value)
    text = "" if value is None else escaped(str(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _decision(verb: str, by: str, note: str, at: str) -> str:
    when = f" ({at})" if at else ""
    return f"{verb} by {by or 'somebody'}{when}" + (f": {note}" if note else "")


_WRITERS = {"csv": _write_csv, "json": _write_json, "jsonl": _write_jsonl}
