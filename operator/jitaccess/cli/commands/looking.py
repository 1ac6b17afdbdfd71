"""Looking: `ls`."""

from collections.abc import Iterable
from datetime import datetime

import click
from rich.text import Text

from jitaccess.cli.api.errors import ExitCode
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.filters import (
    EVERYTHING,
    MINE,
    REVIEWABLE,
    Filter,
    Narrowing,
    chosen_filter,
    chosen_requests,
    filter_options,
    narrows,
)
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import (
    UNLIMITED,
    Column,
    dump,
    note,
    out,
    state_text,
    styled,
    table,
    warn,
)
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.text import format_duration
from jitaccess.wording.decisions import decisions
from jitaccess.wording.describe import place, progress, warnings, when
from jitaccess.wording.stages import lasts
from jitaccess.wording.times import clock

_NAMES = Column("NAME"), Column("NAMESPACE", least=8, keep=8)
# Which columns go first where there is no room. Who looks at access needs its end; who decides needs who wants what, and why.
_COLUMNS = (
    Column("STATE"),
    Column("WHO", least=8, keep=5),
    Column("ROLE", least=8, keep=3),
    Column("FOR", keep=1),
    Column("WHEN", keep=6),
    Column("WHY", least=10, keep=2),
)
_TO_DECIDE = (
    Column("STATE", keep=1),
    Column("WHO", least=5, keep=6),
    Column("ROLE", least=8, keep=5),
    Column("FOR", keep=3),
    Column("WHEN", keep=2),
    Column("WHY", least=10, keep=4),
)
_WIDE = (Column("TICKET"), Column("POLICY"), Column("DECIDED BY"), Column("ASKED"), Column("ENDS"))


@click.command(cls=options.Command)
@filter_options
@narrows
@options.everywhere
@click.option("--limit", type=click.IntRange(min=0), default=20, show_default=True, help="The first so many; 0 for all.")
@options.output("wide", "json", "yaml", "name")
@connects
@pass_session
def ls(
    session: Session,
    reviewable: bool,
    active: bool,
    awaiting_review: bool,
    everybody: bool,
    narrowing: Narrowing,
    everywhere: bool,
    limit: int,
    output: str | None,
) -> int:
    """List requests: yours, or those that wait for you, or everybody's. The newest come first; what waits for you, oldest first.

    The other options narrow that list; --user alone looks among everybody's.
    """
    of_all = bool(narrowing.user and not (reviewable or active or awaiting_review))
    which = chosen_filter(reviewable, active, awaiting_review, everybody or of_all)
    namespace = session.scope(everywhere)
    found = chosen_requests(session.client, namespace, which, narrowing)
    shown = found[: limit or None]
    if output and output != "wide":
        dump([manifest for _, manifest in shown], output)
        return ExitCode.DONE
    if not found:
        where = "any namespace" if everywhere else place(namespace)
        note(which.nothing.format(place=where) if narrowing == EVERYTHING else f"No request in {where} fits all of that.")
        return ExitCode.DONE
    rows = requests_table((request for request, _ in shown), which, session.client.now(), everywhere, wide=output == "wide")
    out().print(rows, soft_wrap=True)
    _warn_of((request for request, _ in shown), everywhere)
    if len(shown) < len(found):
        note(f"{len(found) - len(shown)} more are not shown: --limit 0 shows all")
    return ExitCode.DONE


def _warn_of(requests: Iterable[AccessRequest], with_namespace: bool) -> None:
    """Print what to look after, each sentence once, with the names of all requests that it is about."""
    names: dict[str, list[str]] = {}
    for request in requests:
        for warning in warnings(request):
            names.setdefault(warning, []).append(str(request.key) if with_namespace else request.key.name)
    for warning, about in names.items():
        warn(f"{', '.join(about)}: {warning}")


def requests_table(
    requests: Iterable[AccessRequest], which: Filter, now: datetime, with_namespace: bool, *, wide: bool = False
) -> Text:
    """Requests as a table that fits the terminal, with what matters for that choice of them; a wide one has all of it, uncut."""
    columns = [*_NAMES, *(_TO_DECIDE if which is REVIEWABLE else _COLUMNS), *_WIDE]
    left_out = [not with_namespace and "NAMESPACE", which is MINE and "WHO", *([] if wide else [c.title for c in _WIDE])]
    kept = [i for i, column in enumerate(columns) if column.title not in left_out]
    rows = [_row(request, now) for request in requests]
    return table([columns[i] for i in kept], ([row[i] for i in kept] for row in rows), UNLIMITED if wide else None)


def _row(request: AccessRequest, now: datetime) -> list[str | Text]:
    end = request.recorded.expires_at
    return [
        request.key.name,
        request.key.namespace or "(cluster)",
        state_text(request.state, progress(request)),
        request.requester,
        request.role.name,
        format_duration(lasts(request)),
        styled(when(request, now), "bold red" if warnings(request) else ""),
        request.reason,
        request.ticket,
        request.policy.key.name,
        ", ".join(dict.fromkeys(line.by or "somebody" for line in decisions(request))),
        clock(request.created, now),
        clock(end, now) if end else "",
    ]
