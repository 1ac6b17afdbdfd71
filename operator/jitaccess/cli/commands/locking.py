"""Locking people out during an incident: `lock`, `unlock` and `locks`."""

from datetime import UTC, datetime, timedelta

import click

from jitaccess.cli.api.errors import CliError, ExitCode, NotFound, UsageError
from jitaccess.cli.api.locking import lift_lock, list_locks, lock_manifest, locks_on, make_lock, read_lock
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_locks, complete_people
from jitaccess.cli.commands.choosing import checked_reason, parse_length, request_name
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import Column, dump, note, say, show_table
from jitaccess.domain.locks import Lock, LockState
from jitaccess.domain.model import Manifest
from jitaccess.domain.rules import in_words
from jitaccess.domain.text import format_time, lower_ascii, parse_time
from jitaccess.manifests.locks import parse_lock
from jitaccess.wording.times import clock

_COLUMNS = (
    Column("NAME"),
    Column("STATE"),
    Column("WHO", least=8, wraps=True),
    Column("UNTIL", keep=4),
    Column("BY", least=8, keep=3),
    Column("ENDED", keep=1),
    Column("WHY", least=10, keep=2),
)
_NEEDED_REASON = ("say why: --reason TEXT", 'for example --reason "INC-7 stolen laptop"; whoever is locked is told it')


@click.command(cls=options.Command)
@click.argument("users", metavar="USER...", nargs=-1, required=True, shell_complete=complete_people)
@click.option("-r", "--reason", metavar="TEXT", help="Why: for the record, and for whoever is locked, who is told it.")
@click.option("--until", metavar="TIME", help="When it ends by itself, as 2026-07-01T18:00:00Z. Default: when it is lifted.")
@click.option("--for", "length", metavar="DURATION", help="Likewise, counted from now.")
@options.dry_run
@options.output("json", "yaml", "name")
@connects
@pass_session
def lock(
    session: Session,
    users: tuple[str, ...],
    reason: str | None,
    until: str | None,
    length: str | None,
    dry_run: bool,
    output: str | None,
) -> int:
    """Lock people out of jitaccess: all that they have through it ends, and they can neither ask nor decide.

    USER is a user name as the API server knows it (`kubectl auth whoami` shows it); that of a ServiceAccount is
    system:serviceaccount:NAMESPACE:NAME. What they may do in the cluster without jitaccess is not touched.

    \b
    kubectl jit lock mallory@example.com --reason "INC-7 stolen laptop"
    """
    why, users = checked_reason(reason) if reason else _no_reason(), tuple(dict.fromkeys(users))
    client, connection = session.client, session.connection
    end = _end(until, length, client.now())
    manifest = lock_manifest(f"lock-{request_name(users[0])}", users, why, client.me, format_time(end) if end else "")
    made = make_lock(connection, manifest, dry_run=dry_run)
    if output:
        dump(made, output)
        return ExitCode.DONE
    if dry_run:
        say(f"The API server would accept this: {in_words_of(users)} locked {_until(end, client.now())}. Nothing was changed.")
        return ExitCode.DONE
    say(f"accesslock/{made['metadata']['name']}  {in_words_of(users)} locked {_until(end, client.now())}")
    note("What they have through jitaccess ends now; `kubectl jit locks` says how much that was.")
    return ExitCode.DONE


@click.command(cls=options.Command)
@click.argument("names", metavar="USER|NAME...", nargs=-1, required=True, shell_complete=complete_locks)
@click.option("-r", "--reason", metavar="TEXT", help="Why, for the record.")
@options.output("json", "yaml", "name")
@connects
@pass_session
def unlock(session: Session, names: tuple[str, ...], reason: str | None, output: str | None) -> int:
    """Lift locks: by the user that is locked, or by the name of the lock. Nobody lifts a lock on themselves.

    What has ended stays ended: whoever is unlocked asks anew.
    """
    why = checked_reason(reason) if reason else _no_reason()
    for each in dict.fromkeys(found.name for name in names for found in _meant(session, name)):
        lifted = lift_lock(session.connection, each, session.client.me, why)
        if output:
            dump(lifted, output)
        else:
            say(f"accesslock/{each}  lifted: {_who_is_free(session, parse_lock(lifted))}")
    return ExitCode.DONE


def _who_is_free(session: Session, lifted: Lock) -> str:
    """Who may ask and decide again, and whom another lock keeps out still, as far as one may know."""
    others = [lock for lock in locks_on(session.connection, *lifted.subjects) if lock.name != lifted.name]
    still = {who: [lock.name for lock in others if lower_ascii(who) in lock.people] for who in lifted.subjects}
    free = tuple(who for who, names in still.items() if not names)
    words = [f"{in_words_of(free)} free to ask and decide again"] if free else []
    return "; ".join([*words, *(f"{who} is still locked by {in_words(names)}" for who, names in still.items() if names)])


@click.command(cls=options.Command)
@click.option("--all", "everything", is_flag=True, help="Those that are over, or were lifted, too.")
@options.output("json", "yaml", "name")
@connects
@pass_session
def locks(session: Session, everything: bool, output: str | None) -> int:
    """List who is locked out, by whom, why and until when, and how many grants that has ended."""
    found = list_locks(session.connection, settled=everything)
    if output:
        dump(found, output)
        return ExitCode.DONE
    if not found:
        note("Nobody is locked." if not everything else "There is no lock on record.")
        return ExitCode.DONE
    now = session.client.now()
    show_table(_COLUMNS, (_row(parse_lock(item), now) for item in found))
    return ExitCode.DONE


def _row(lock: Lock, now: datetime) -> list[str]:
    return [
        lock.name,
        str(lock.state_at(now)),
        ", ".join(lock.subjects),
        clock(lock.until, now) if lock.until else "-",
        lock.by,
        str(lock.recorded.ended),
        lock.reason,
    ]


def _meant(session: Session, name: str) -> list[Lock]:
    """The locks that a word of the command line means: that of this name, else those on this user."""
    on_user = locks_on(session.connection, name)
    shared = [lock for lock in on_user if len(lock.subjects) > 1]
    if shared:
        people = in_words(shared[0].subjects)
        raise UsageError(
            f"the lock on {name} is one on {people}, and is lifted as a whole",
            f"kubectl jit unlock {shared[0].name} --reason TEXT",
        )
    return on_user or [_named(session, name)]


def _named(session: Session, name: str) -> Lock:
    hint = "`kubectl jit locks` shows who is locked"
    try:
        found: Manifest = read_lock(session.connection, name.removeprefix("accesslock/"))
    except NotFound:
        raise NotFound(f"there is no lock on {name}, and none of that name", hint) from None
    lock = parse_lock(found)
    if lock.state_at(session.client.now()) is not LockState.ACTIVE:
        raise CliError(f"lock {lock.name} is over already ({lock.state_at(session.client.now())})", hint)
    return lock


def in_words_of(people: tuple[str, ...]) -> str:
    """People in words, with the verb: `alice and bob are`."""
    return f"{in_words(people)} {'are' if len(people) > 1 else 'is'}"


def _until(end: datetime | None, now: datetime) -> str:
    return f"until {clock(end, now)}" if end else "until somebody lifts it"


def _end(until: str | None, length: str | None, now: datetime) -> datetime | None:
    if until and length:
        raise UsageError("--until and --for exclude each other")
    if length:
        return now.astimezone(UTC).replace(microsecond=0) + max(parse_length(length), timedelta(seconds=1))
    if not until:
        return None
    try:
        end = parse_time(until)
    except ValueError as error:
        raise UsageError(f"--until: {error}", "write it as 2026-07-01T18:00:00Z") from None
    if end <= now:
        raise UsageError(f"--until {until} is over already")
    return end


def _no_reason() -> str:
    raise UsageError(*_NEEDED_REASON)
