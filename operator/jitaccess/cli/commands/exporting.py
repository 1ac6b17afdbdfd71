"""Exporting the record, for auditors."""

import csv
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.deletions import Deletion
from jitaccess.cli.api.errors import CliError, ExitCode, Refused, Unreadable, UsageError
from jitaccess.cli.api.reading import read_requests
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.filters import since, warn_left_out
from jitaccess.cli.commands.options import connects
from jitaccess.cli.commands.records import CSV_COLUMNS, gap, record, row
from jitaccess.cli.terminal.output import as_json, note, warn
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.text import format_time


@click.command(cls=options.Command)
@click.option("--since", "back", metavar="TIME", default="30d", show_default=True, help="How far back: 30d, 12h, or a date.")
@click.option("--until", "end", metavar="TIME", help="Only requests made before this: 7d (ago), or a date.")
@options.everywhere
@click.option("-o", "--output", type=click.Choice(["csv", "json", "jsonl"]), default="csv", show_default=True, help="The format.")
@connects
@pass_session
def export(session: Session, back: str, end: str | None, everywhere: bool, output: str) -> int:
    """Write out every request that was open at any time in the period, with all times and decisions.

    csv and json have the oldest first. jsonl is written as it is read, page by page, in the order of namespace and name.

    Requests stay in the cluster for the operator's retention time after they are settled (30 days by default): export
    more often than that. Of an open request that somebody deleted, there is a row with the state Deleted for as long as
    the cluster keeps the operator's Event (one hour by default), if you may read Events. In csv, text that a spreadsheet
    would run as a formula begins with an apostrophe.
    """
    now = datetime.now(UTC)
    start, stop = since(back, now), since(end, now) if end else now
    if start > stop:
        raise UsageError(f"the period ends before it begins: {format_time(start)} to {format_time(stop)}")
    # The cluster first: what is refused is refused before anything is written.
    record_of = Record(session.scopes(everywhere), start, stop)
    try:
        _WRITERS[output](record_of.lines(in_order=output != "jsonl"))
    except CliError:
        warn(f"this is not the whole record: {record_of.count} requests had been read when it broke off")
        raise
    note(f"{record_of.count} requests, {format_time(start)} to {format_time(stop)}")
    if record_of.gaps:
        note(f"and {record_of.gaps} that somebody deleted, as Events report it; the proof is the API server's audit log")
    warn_left_out(record_of.unreadable)
    return ExitCode.ERROR if record_of.unreadable else ExitCode.DONE


@dataclass(slots=True)
class Record:
    """The requests that were open at any time in a period, of each namespace (empty: of all); what was read so far is counted."""

    scopes: Sequence[tuple[Client, str]]
    start: datetime
    stop: datetime
    count: int = 0
    gaps: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)

    def lines(self, in_order: bool) -> Iterator[dict[str, Any]]:
        """The record of each, oldest first or as they are read, and then what is known of those that somebody deleted."""
        requests = self._requests()
        yield from map(record, sorted(requests, key=lambda request: (request.created, request.key)) if in_order else requests)
        for deletion in self._deletions():  # read last: what is deleted meanwhile is in it
            if self.start <= deletion.at <= self.stop:
                self.gaps += 1
                yield gap(deletion)

    def _requests(self) -> Iterator[AccessRequest]:
        """Read page by page, as the API server lists them: by namespace and name."""
        for page in chain.from_iterable(client.requests_in_pages(namespace) for client, namespace in self.scopes):
            found, unreadable = read_requests(page)
            self.unreadable += unreadable
            for request, _ in found:
                if self._overlaps(request):
                    self.count += 1
                    yield request

    def _overlaps(self, request: AccessRequest) -> bool:
        settled = request.recorded.settled_at
        return request.created <= self.stop and (settled is None or settled >= self.start)

    def _deletions(self) -> list[Deletion]:
        try:
            found = [deletion for client, namespace in self.scopes for deletion in client.deletions(namespace)]
            return sorted(found, key=lambda each: (each.at, each.request))
        except Refused:
            note("requests that somebody deleted are not in it: you may not read Events there")
            return []


def _write_json(records: Iterable[dict[str, Any]]) -> None:
    click.echo(as_json(list(records), indent=2))


def _write_jsonl(records: Iterable[dict[str, Any]]) -> None:
    for line in records:
        click.echo(as_json(line))


def _write_csv(records: Iterable[dict[str, Any]]) -> None:
    rows = map(row, records)
    first = next(rows, None)  # what is refused is refused before anything is written
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows(rows if first is None else chain([first], rows))


_WRITERS = {"csv": _write_csv, "json": _write_json, "jsonl": _write_jsonl}
