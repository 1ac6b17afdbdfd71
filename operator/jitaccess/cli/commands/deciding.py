"""Deciding: `approve`, `deny` and `withdraw` show what is being decided, ask, and add one line to a ledger; so does `revoke`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import update_wrapper
from typing import Any

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, ExitCode, UsageError
from jitaccess.cli.api.ledger import checked_text
from jitaccess.cli.api.reading import read_request
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.candidates import complete_requests, complete_stages
from jitaccess.cli.commands.choosing import parse_name
from jitaccess.cli.commands.decision import APPROVE, AS_ASKED, DENY, WITHDRAW, Case, Terms, Verb, check_withdrawal
from jitaccess.cli.commands.effect import Effect
from jitaccess.cli.commands.options import connects
from jitaccess.cli.commands.reviewing import review_all
from jitaccess.cli.terminal.output import complain, note
from jitaccess.domain.model import Key
from jitaccess.domain.text import parse_duration


@dataclass(frozen=True, slots=True)
class Manner:
    """How to decide: the note (None: none was given), whether not to ask, whether only to try, what to print, and the terms."""

    note: str | None
    yes: bool
    dry_run: bool
    output: str | None
    terms: Terms = AS_ASKED


def _limits(function: Callable[..., int]) -> Callable[..., int]:
    """The options of an approval alone: in which stage, and for how long at most."""

    def limited(*args: Any, stage: str | None, length: str | None, **kwargs: Any) -> int:
        return function(*args, terms=Terms(stage or "", _parsed(length) if length else None), **kwargs)

    stage = click.option(
        "--stage",
        metavar="NAME",
        help="The stage to approve in, where the policy has several of yours.",
        shell_complete=complete_stages,
    )
    length = click.option(
        "--for", "length", metavar="DURATION", help="For less time than was asked for: 30m. The shortest of all approvals holds."
    )
    return stage(length(update_wrapper(limited, function)))


def _parsed(length: str) -> timedelta:
    try:
        return parse_duration(length)
    except ValueError as error:
        raise UsageError(f"--for: {error}") from None


def _command(verb: Verb, help_text: str) -> click.Command:
    limits = _limits if verb is APPROVE else _as_it_is

    @click.command(verb.name, cls=options.Command, help=help_text)
    @click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_requests)
    @options.note
    @limits
    @options.yes
    @options.dry_run
    @options.output("json", "yaml", "name")
    @connects
    @pass_session
    def command(
        session: Session,
        names: tuple[str, ...],
        note: str | None,
        yes: bool,
        dry_run: bool,
        output: str | None,
        terms: Terms = AS_ASKED,
    ) -> int:
        checked_text(note or "", "note")
        return decide(session, verb, names, Manner(note, yes, dry_run, output, terms))

    return command


def decide(session: Session, verb: Verb, names: Sequence[str], manner: Manner) -> int:
    """Decide on the requests of these names; without names, where one approves, go through what waits for oneself."""
    if not session.interactive and not (manner.yes or manner.dry_run):
        raise UsageError("there is no terminal to ask at: look with `kubectl jit show NAME`, then decide with --yes")
    if names:
        return _decide_all(session, verb, names, manner)
    if verb is not APPROVE or manner.yes or manner.dry_run or manner.terms != AS_ASKED:
        raise UsageError(f"say which: kubectl jit {verb.name} NAME", "`kubectl jit ls --all` shows what there is")
    return review_all(session, session.client.namespace, manner.note, manner.output)


def _as_it_is(function: Callable[..., int]) -> Callable[..., int]:
    return function


approve = _command(
    APPROVE,
    "Approve requests, after a look at what they ask for.\n\nWithout a name, goes through what waits for you, as `review` does. "
    "Nobody approves their own. Where the policy has stages, it is approved in yours.",
)
deny = _command(
    DENY, "Deny requests; one denial wins over any number of approvals.\n\nAccess that was granted already ends at once."
)
withdraw = _command(WITHDRAW, "Take back your own request, or end your own access early.")


def _decide_all(session: Session, verb: Verb, names: Sequence[str], manner: Manner) -> int:
    client = session.client
    effect = Effect(client)
    codes = [ExitCode.DONE]
    for key in [parse_name(name, client.namespace) for name in names]:
        try:
            codes.append(_decide(client, effect, verb, key, manner))
        except CliError as error:
            complain(error.message, error.hint)
            codes.append(error.code)
    return next((code for code in codes if code), ExitCode.DONE)


def _decide(client: Client, effect: Effect, verb: Verb, key: Key, manner: Manner) -> ExitCode:
    request = read_request(client.request(key))
    if verb is WITHDRAW:
        check_withdrawal(client, request)
    case = Case(client, effect, request, manner.terms)
    if manner.dry_run:
        case.report_rehearsal(verb, case.note(verb, manner.note, ask=False), manner.output)
        return ExitCode.DONE
    if not manner.yes:
        case.rehearse(verb, manner.note or "")  # who would be refused is not asked first
        case.show()
        if not click.confirm(f"{verb.name.capitalize()} {request.key.name}?", err=True):
            note(f"Nothing was changed; {key.name} stays as it is.")
            return ExitCode.ERROR
    case.decide(verb, case.note(verb, manner.note, ask=not manner.yes), manner.output)
    return ExitCode.DONE
