"""All there is to know about a request: `show`."""

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
    MINE,
    chosen_requests,
)
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import (
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
)
from jitaccess.domain.model import AccessPolicy, AccessRequest, Manifest
from jitaccess.domain.recorded import State
from jitaccess.domain.text import format_duration
from jitaccess.manifests.kinds import request_kind
from jitaccess.wording.decisions import LedgerLine, decisions
from jitaccess.wording.describe import how_long, option, outcome, place, policy_of, progress, warnings
from jitaccess.wording.history import timeline
from jitaccess.wording.reviews import owes_review, review_in_words
from jitaccess.wording.stages import stage_lines
from jitaccess.wording.times import clock, span, zone

_EVENTS = (Column("TIME"), Column("AGO", keep=1), Column("WHAT"), Column("WHO", least=8))


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
