"""Ending access: `revoke`, for single requests, or for all under a policy or of a person, during an incident."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import click
from rich.text import Text

from jitaccess.cli.api.client import AT_ONCE, Client
from jitaccess.cli.api.errors import CliError, ExitCode, UsageError
from jitaccess.cli.api.everywhere import Everywhere
from jitaccess.cli.api.ledger import checked_text
from jitaccess.cli.api.reading import read_requests
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_people, complete_policies, complete_requests
from jitaccess.cli.commands.deciding import Manner, decide
from jitaccess.cli.commands.decision import REVOKE
from jitaccess.cli.commands.filters import note_narrowed
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import Column, complain, dump, err, note, say, state_text, table
from jitaccess.domain.model import AccessRequest, Ledger, Manifest
from jitaccess.manifests.resources import OPEN_REQUESTS
from jitaccess.wording.describe import place, reference, when

_COLUMNS = (
    Column("NAME"),
    Column("NAMESPACE", least=8, keep=5),
    Column("STATE"),
    Column("WHO", least=8),
    Column("ROLE", least=8, keep=3),
    Column("WHEN", keep=2),
    Column("POLICY", least=8, keep=4),
)


@click.command(cls=options.Command)
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_requests)
@click.option("--all", "everything", is_flag=True, help="Instead of names: all open requests, as --policy and --user say.")
@click.option("--policy", metavar="NAME", help="With --all: those under this policy.", shell_complete=complete_policies)
@click.option("--user", metavar="USER", help="With --all: those of this user.", shell_complete=complete_people)
@options.everywhere
@options.note
@options.yes
@options.dry_run
@options.output("json", "yaml", "name")
@connects
@pass_session
def revoke(
    session: Session,
    names: tuple[str, ...],
    everything: bool,
    policy: str | None,
    user: str | None,
    everywhere: bool,
    note: str | None,
    yes: bool,
    dry_run: bool,
    output: str | None,
) -> int:
    """End access that was granted, at once.

    For approvers, for requesters who are done early, and for whoever holds the verb `revoke` (ClusterRole jitaccess-locker).
    With --all, what still waits is ended too; with -A in all namespaces, and what is cluster-wide. To keep somebody from asking
    again: kubectl jit lock.

    \b
    kubectl jit revoke --all --policy prod-debug -m "INC-7"
    kubectl jit revoke --all --user mallory@example.com -A -m "INC-7"
    """
    checked_text(note or "", "note")
    manner = Manner(note, yes, dry_run, output)
    if not everything:
        if policy or user or everywhere:
            raise UsageError("--policy, --user and -A go with --all", "kubectl jit revoke --all ...")
        return decide(session, REVOKE, names, manner)
    if names or not (policy or user):
        raise UsageError("--all goes with --policy or --user, or both, and without names")
    return _revoke_all(session, policy or "", user or "", everywhere, manner)


def _revoke_all(session: Session, policy: str, user: str, everywhere: bool, manner: Manner) -> int:
    if not session.interactive and not (manner.yes or manner.dry_run):
        raise UsageError("there is no terminal to ask at: look with --dry-run, then end with --yes")
    client, scope = session.client, session.scope(everywhere)
    found = [one for one in _open(client, scope, everywhere) if one.policy.key.name == (policy or one.policy.key.name)]
    found = [one for one in found if one.requester == (user or one.requester)]
    if not found:
        note(f"There is nothing to end in {'any namespace' if everywhere else place(scope)}.")
        return ExitCode.DONE
    now = client.now()
    err().print(
        table(_COLUMNS, ([*_row(one), when(one, now), one.policy.key.name] for one in found), err().width), soft_wrap=True
    )
    if not (manner.yes or manner.dry_run) and not click.confirm(f"End {_number(found)}?", err=True):
        note("Nothing was changed.")
        return ExitCode.ERROR
    return _end(client, found, manner)


def _open(client: Client, scope: str, everywhere: bool) -> list[AccessRequest]:
    wide = Everywhere(client)
    items = wide.requests(OPEN_REQUESTS) if everywhere else client.requests(scope, OPEN_REQUESTS)
    note_narrowed(wide)
    found, unreadable = read_requests(items)
    for error in unreadable:
        complain(str(error))
    return [request for request, _ in found if not request.state.settled]


def _row(request: AccessRequest) -> list[str | Text]:
    return [
        request.key.name,
        request.key.namespace or "(cluster)",
        state_text(request.state),
        request.requester,
        request.role.name,
    ]


def _end(client: Client, requests: Sequence[AccessRequest], manner: Manner) -> int:
    """Add a line to each ledger, many at once; what could not be ended is told at the end, where nobody overlooks it."""
    _ = client.me  # asked once, and not by each thread
    with ThreadPoolExecutor(max_workers=AT_ONCE) as threads:
        outcomes = list(threads.map(_revoking(client, manner), requests))
    done = [outcome for outcome in outcomes if not isinstance(outcome, CliError)]
    failed = [(one, outcome) for one, outcome in zip(requests, outcomes, strict=True) if isinstance(outcome, CliError)]
    if manner.output and done:
        dump(done, manner.output)
    elif not manner.output:
        words = "would be revoked" if manner.dry_run else "revoked"
        for one, outcome in zip(requests, outcomes, strict=True):
            if not isinstance(outcome, CliError):
                say(f"{reference(one.key)} {words}")
    for one, error in failed:
        complain(f"{one.key} was not ended: {error.message}", error.hint)
    if failed:
        note(f"{len(failed)} of {len(requests)} were not ended.")
    return failed[0][1].code if failed else ExitCode.DONE


def _revoking(client: Client, manner: Manner) -> Callable[[AccessRequest], Manifest | CliError]:
    def revoking(request: AccessRequest) -> Manifest | CliError:
        try:
            return client.decide(request.key, Ledger.REVOCATIONS, manner.note or "", manner.dry_run)
        except CliError as error:
            return error

    return revoking


def _number(found: Sequence[AccessRequest]) -> str:
    return f"these {len(found)}" if len(found) > 1 else f"{found[0].key.name}"
