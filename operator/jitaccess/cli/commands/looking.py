"""Looking: `ls` and `show`."""

from collections.abc import Iterable
from datetime import datetime

import click
from rich.text import Text

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import ExitCode, NotFound
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_requests
from jitaccess.cli.commands.choosing import parse_name
from jitaccess.cli.commands.dossier import Dossier, read_dossier
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
    command,
    dump,
    err,
    fields,
    hanging,
    note,
    out,
    say,
    state_text,
    styled,
    table,
    warn,
)
from jitaccess.domain.model import AccessPolicy, AccessRequest, Manifest
from jitaccess.domain.recorded import State
from jitaccess.domain.text import format_duration
from jitaccess.manifests.kinds import request_kind
from jitaccess.wording.decisions import LedgerLine, decisions
from jitaccess.wording.describe import how_long, option, outcome, place, policy_of, progress, warnings, when
from jitaccess.wording.history import timeline
from jitaccess.wording.reviews import owes_review, review_in_words
from jitaccess.wording.stages import lasts, stage_lines
from jitaccess.wording.times import clock, span, zone

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
_EVENTS = (Column("TIME"), Column("AGO", keep=1), Column("WHAT"), Column("WHO", least=8))


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


@click.command(cls=options.Command)
@click.argument("name", required=False, shell_complete=complete_requests)
@options.output("json", "yaml", "name")
@connects
@pass_session
def show(session: Session, name: str | None, output: str | None) -> int:
    """Show all there is to know about a request: what, why, who decided, what happened when, and what the role allows.

    Without a name: your newest one.
    """
    client = session.client
    manifest = client.request(parse_name(name, client.namespace)) if name else _newest(client)
    if output:
        dump(manifest, output)
        return ExitCode.DONE
    request = read_request(manifest)
    dossier = read_dossier(client, request, client.policy_if_any(request.policy))
    now = client.now()
    _summary(request, dossier.policy, now)
    _timeline(request, now)
    _allows(dossier)
    if request.state is State.PENDING and not request.recorded.starts_at and err().is_terminal:
        note("")
        note("To approve, as somebody who decides:")
        command(f"kubectl jit approve {request.key.name} {option(request.key.namespace)}")
    if request.state is State.ACTIVE and request.recorded.identity and err().is_terminal:
        note("")
        note("To use it, as whoever asked for it:")
        command(f"kubectl jit as {request.key.name} {option(request.key.namespace)} -- get pods")
    if owes_review(request) and err().is_terminal:
        note("")
        note("To review it, as a reviewer (or with --misuse):")
        command(f"kubectl jit reviewed {request.key.name} {option(request.key.namespace)} --fine")
    return ExitCode.DONE


def _newest(client: Client) -> Manifest:
    found = chosen_requests(client, client.namespace, MINE)
    if not found:
        raise NotFound(f"you have no requests in {place(client.namespace)}", "kubectl jit request")
    return found[0][1]


def _summary(request: AccessRequest, policy: AccessPolicy | None, now: datetime) -> None:
    bound, kind = request.recorded.binding, request_kind(request.key.namespace)
    state = Text.assemble(state_text(request.state, progress(request)), styled(_colon(outcome(request, policy, now)), ""))
    fields(
        [
            ("Request", f"{request.key.name} in {place(request.key.namespace)}"),
            ("State", state),
            ("Who", request.requester),
            ("Role", str(request.role)),
            ("Why", request.reason),
            ("Ticket", request.ticket),
            ("For", how_long(request, now)),
            ("Policy", policy_of(request, policy)),
            *(("" if n else "Stages", line) for n, line in enumerate(stage_lines(request))),
            ("Binding", f"{kind.binding.kind} {bound.name}" if bound and request.state is State.ACTIVE else ""),
            ("Emergency", review_in_words(request, now)),
            ("Identity", request.recorded.identity if request.state is State.ACTIVE else ""),
            *(("Warning", styled(warning, "bold red")) for warning in warnings(request)),
        ]
    )


def _colon(text: str) -> str:
    return f": {text}" if text else ""


def _timeline(request: AccessRequest, now: datetime) -> None:
    out().print()
    say(styled(f"What happened (times in {zone(now)})", "bold"))
    rows = [((clock(line.at, now), span(now - line.at), line.what, line.by), line.said) for line in timeline(request, now)]
    unrecorded = [d for d in decisions(request) if not d.at and not request.state.settled]
    rows += [(("now", "", d.verb.capitalize(), d.by or "somebody"), _line(d)) for d in unrecorded]
    start, *lines = table(_EVENTS, [cells for cells, _ in rows]).split("\n")
    out().print(start)
    for line, (_, said) in zip(lines, rows, strict=True):
        hanging(line, said, max(line.cell_len for line in lines) + 2)


def _line(line: LedgerLine) -> str:
    special = (f"stage {line.stage}" if line.stage else "", f"for {format_duration(line.length)}" if line.length else "")
    return ": ".join(part for part in (", ".join(filter(None, special)), line.note) if part)


def _allows(dossier: Dossier) -> None:
    out().print()
    say(styled(f"What {dossier.request.role} allows" + (", as it was shown" if dossier.request.recorded.role else ""), "bold"))
    for verbs, objects in dossier.role.exactly.items():
        say(verbs)
        fields((" ", each) for each in objects)
    fields(dossier.role_warnings)
