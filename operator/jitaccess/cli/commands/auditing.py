"""The exported record read back: verified, sampled, and held against what the cluster has."""

import gzip
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from jitaccess.cli.api.errors import ExitCode, UsageError
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_deciders, complete_people, complete_roles
from jitaccess.cli.commands.choosing import matching, parse_role
from jitaccess.cli.commands.filters import since, warn_left_out
from jitaccess.cli.commands.options import connects
from jitaccess.cli.commands.sampling import Sample, cluster_stories, missing_of
from jitaccess.cli.terminal.output import UNLIMITED, Column, as_json, escaped, note, out, say, styled, table, warn
from jitaccess.domain.model import RoleRef
from jitaccess.domain.text import format_time
from jitaccess.manifests.cloudevent import event_hash
from jitaccess.manifests.evidence import Place, Report
from jitaccess.manifests.stream import read_stream
from jitaccess.wording.accounts import Account

_COLUMNS = (
    Column("GRANTED"),
    Column("ENDED"),
    Column("WHO", least=10),
    Column("ROLE", least=8),
    Column("NAMESPACE", least=8),
    Column("APPROVED BY", least=10),
    Column("OUTCOME"),
    Column("REQUEST", least=8, keep=1),
    Column("TICKET", keep=1),
    Column("REASON", least=10, keep=1),
)
_FILES = click.argument("files", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), metavar="[FILE]...")


@click.group()
def audit() -> None:
    """Verify and sample the record that the operator has exported.

    A FILE has one event a line, as the operator writes it (docs/audit.md); several are read in the order given, `-` is
    standard input, and what ends in .gz is unpacked.
    """


@audit.command(cls=options.Command, short_help="Find what was removed, changed or invented in files.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True), metavar="FILE...")
@click.option("--checkpoint", metavar="HASH", help="The hash of a checkpoint that must be there: one that you kept.")
def verify(files: tuple[Path, ...], checkpoint: str | None) -> int:
    """Find what was removed, changed, reordered or invented in exported events, and say where.

    What stands behind the last checkpoint may have been cut off without a trace: keep the hash that this prints, and
    give it to --checkpoint the next time. Exit code 3: something is wrong.
    """
    report = read_stream(_lines(files))
    for finding in report.findings:
        say(styled(f"{finding.fault}: ", "bold red"), f"{finding.place}: {finding.message}")
    lost = bool(checkpoint) and checkpoint not in report.checkpoints
    if lost:
        say(styled("removed: ", "bold red"), f"there is no checkpoint {checkpoint}: it was cut off, or is in another file")
    _summarise(report)
    return ExitCode.NO if report.findings or lost else ExitCode.DONE


@audit.command(cls=options.Command, short_help="Print one line a grant, of files or of the cluster.")
@_FILES
@click.option("--since", "back", metavar="TIME", default="30d", show_default=True, help="How far back: 30d, 12h, or a date.")
@click.option("--until", "end", metavar="TIME", help="Only what had begun before this: 7d (ago), or a date.")
@click.option("--by", "user", metavar="USER", help="Only what this user asked for.", shell_complete=complete_people)
@click.option(
    "--decided-by", "decider", metavar="USER", help="Only what this user decided about.", shell_complete=complete_deciders
)
@click.option("--role", metavar="[KIND/]NAME", help="Only this role.", shell_complete=complete_roles)
@click.option("--all", "everything", is_flag=True, help="Also what was asked for and not granted.")
@click.option("--missing", is_flag=True, help="Say which requests of the cluster have no complete story in the files.")
@options.everywhere
@click.option("-o", "--output", type=click.Choice(["json"]), metavar="json", help="Print json instead of text for people.")
@connects
@pass_session
def show(
    session: Session,
    files: tuple[Path, ...],
    back: str,
    end: str | None,
    user: str | None,
    decider: str | None,
    role: str | None,
    everything: bool,
    missing: bool,
    everywhere: bool,
    output: str | None,
) -> int:
    """Print one line a grant, of exported files or, without any, of what is in the cluster.

    Of files: all namespaces, unless -n names one. Times are in UTC. With --missing: exit code 3 if anything is missing.
    """
    now = datetime.now(UTC)
    start, stop = since(back, now), since(end, now) if end else now
    if start > stop:
        raise UsageError(f"the period ends before it begins: {format_time(start)} to {format_time(stop)}")
    wanted = parse_role(role) if role else None
    namespace = session.namespace_given if files else ""
    sample = Sample(start, stop, namespace, user or "", decider or "", _matches(wanted), everything)
    if missing:
        return _missing(session, files, everywhere)
    accounts = sample.of_files(_trusted(files)) if files else sample.of_cluster(session, everywhere, warn_left_out)
    _print(accounts, output)
    note(f"{counted(len(accounts), 'request' if everything else 'grant')}, {format_time(start)} to {format_time(stop)}")
    return ExitCode.DONE


def _matches(wanted: RoleRef | None) -> Callable[[RoleRef], bool]:
    return (lambda _: True) if wanted is None else lambda role: bool(matching(wanted, [role]))


def _trusted(files: Sequence[Path]) -> Report:
    """What is in the files, with a word about what is wrong with it."""
    report = read_stream(_lines(files))
    if report.findings:
        warn(f"these files are not as they were exported: {len(report.findings)} findings of kubectl jit audit verify")
    return report


def _missing(session: Session, files: Sequence[Path], everywhere: bool) -> int:
    if not files:
        raise UsageError("--missing compares files with the cluster: name at least one file")
    report, count = _trusted(files), 0
    for story in cluster_stories(session, everywhere, warn_left_out):
        if words := missing_of(story, report):
            count += 1
            say(f"{story.subject}: {words}")
    note(
        f"{count} requests of the cluster are not complete in the files"
        if count
        else "every request of the cluster is in the files"
    )
    return ExitCode.NO if count else ExitCode.DONE


def _print(accounts: Sequence[Account], output: str | None) -> None:
    if output == "json":
        return click.echo(as_json([_facts(account) for account in accounts], indent=2))
    if accounts:
        out().print(table(list(_COLUMNS), [_row(account) for account in accounts], None if sys.stdout.isatty() else UNLIMITED))


def _row(account: Account) -> list[Any]:
    return [
        _minute(account.granted),
        _minute(account.ended),
        account.requester,
        str(account.role.name),
        account.namespace or "(cluster)",
        ", ".join(account.approved) or (_unapproved(account) if account.granted else ""),
        account.state.value if account.state.value in account.why else f"{account.state}: {account.why}",
        account.name,
        account.ticket,
        account.reason,
    ]


def _unapproved(account: Account) -> str:
    """Access that nobody approved: what an emergency was found to be, and by whom."""
    if not account.emergency:
        return "nobody needed"
    if account.reviewed:
        return f"nobody: emergency, {account.review} by {', '.join(account.reviewed)}"
    return f"nobody: emergency, review {account.review or 'to come'}"


def _minute(moment: datetime | None) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else "-"


def _facts(account: Account) -> dict[str, Any]:
    return {
        "uid": account.uid,
        "namespace": account.namespace,
        "name": account.name,
        "requester": account.requester,
        "roleKind": account.role.kind,
        "role": account.role.name,
        "policy": account.policy,
        "reason": account.reason,
        "ticket": account.ticket,
        "approvedBy": list(account.approved),
        "grantedAt": format_time(account.granted) if account.granted else "",
        "endedAt": format_time(account.ended) if account.ended else "",
        "state": account.state.value,
        "endReason": account.why,
        "emergency": account.emergency,
        "review": account.review,
        "reviewedBy": list(account.reviewed),
    }


def _summarise(report: Report) -> None:
    held = (
        counted(report.events, "event"),
        counted(len(report.stories), "request"),
        counted(len(report.checkpoints), "checkpoint"),
    )
    note(f"{held[0]} of {held[1]}, {held[2]}")
    for number, words in (
        (report.duplicates, "were sent more than once, each time the same"),
        (report.torn, "torn lines are followed by the whole"),
        (report.begun_before, "requests have events in an earlier file, which was not read"),
        (report.unvouched, "events stand behind the last checkpoint: only the chains of their requests hold them together"),
        (report.foreign, "lines are no events of jitaccess"),
    ):
        if number:
            note(f"{number} {words}")
    if report.first_checkpoint > 1:
        note(f"it begins with checkpoint {report.first_checkpoint}: those before are in an earlier file, or were removed")
    if last := report.last_checkpoint:
        note(f"the last checkpoint is number {last['data']['number']} of {escaped(str(last['time']))}: {event_hash(last)}")
    note(counted(len(report.findings), "finding") if report.findings else "nothing is wrong with what is there")


def counted(number: int, what: str) -> str:
    """A number of things, in words."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _lines(files: Sequence[Path]) -> Iterator[tuple[Place, str]]:
    for path in files:
        with _opened(path) as file:
            for number, line in enumerate(file, 1):
                yield Place(str(path), number), line


def _opened(path: Path) -> AbstractContextManager[IO[str]]:
    # What is not UTF-8 is no event, and is to be found, not to be stumbled over.
    if str(path) == "-":
        return nullcontext(sys.stdin)
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8", errors="surrogateescape", newline="\n")
    return path.open(encoding="utf-8", errors="surrogateescape", newline="\n")
