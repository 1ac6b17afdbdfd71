"""Asking people at the terminal: a wrong answer is asked again, and what was answered before is not lost."""

import shlex
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import click

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.api.ledger import checked_text
from jitaccess.cli.commands.choosing import chosen_duration, chosen_ticket
from jitaccess.cli.commands.wishes import Wish
from jitaccess.cli.terminal.output import Column, command, complain, err, note, table
from jitaccess.domain.model import AccessPolicy, RoleRef
from jitaccess.domain.text import format_duration, format_time
from jitaccess.wording.describe import option, place, shortened, who_decides

_CHOICES = (Column("#"), Column("POLICY"), Column("ROLE"), Column("AT MOST", keep=2), Column("DECIDED BY", keep=1, wraps=True))

Choice = tuple[AccessPolicy, RoleRef]
T = TypeVar("T")


def prompted(question: str, read: Callable[[str], T], default: str | None = None) -> T:
    """Ask until `read` takes the answer; its UsageError says what was wrong. `default` is what no answer means."""

    def value(text: str) -> T:
        try:
            return read(text)
        except UsageError as error:
            raise click.UsageError(error.message) from None

    answer: T = click.prompt(question, default=default, show_default=bool(default), value_proc=value, err=True)
    return answer


def ask_choice(namespace: str, choices: Sequence[Choice]) -> Choice:
    """Offer what may be requested there, and ask which of it is wanted."""
    note(f"In {place(namespace)} you may request:")
    rows = [
        (str(number), policy.key.name, str(role), shortened(policy.max_duration), who_decides(policy))
        for number, (policy, role) in enumerate(choices, 1)
    ]
    err().print(table(_CHOICES, rows, err().width), soft_wrap=True)
    number = click.prompt("Which", type=click.IntRange(1, len(choices)), err=True)
    return choices[number - 1]


def asked_length(policy: AccessPolicy, duration: str, *, ask: bool, rather_not: bool) -> timedelta:
    """How long: as the command line says, else an answer; what cannot be is asked again where there is somebody to ask."""
    try:
        if duration or rather_not or not ask:
            return chosen_duration(duration, policy)
    except UsageError as error:
        if not ask:
            raise
        complain(error.message)
    return _ask_duration(policy)


def _ask_duration(policy: AccessPolicy) -> timedelta:
    usual = format_duration(chosen_duration("", policy))
    question = f"For how long (at most {format_duration(policy.max_duration)})"
    return prompted(question, lambda text: chosen_duration(text, policy), default=usual)


def asked_ticket(policy: AccessPolicy, ticket: str, *, ask: bool) -> str:
    """The ticket: as the command line says, else an answer where the policy needs one; what cannot be is asked again."""
    try:
        if not ask or ticket or policy.ticket is None or not policy.ticket.required:
            return chosen_ticket(ticket, policy)
    except UsageError as error:
        if not ask:
            raise
        complain(error.message)
    return prompted("Ticket", lambda text: chosen_ticket(checked_text(text, "ticket"), policy))


def say_again(namespace: str, wish: Wish) -> None:
    """What was answered, as a command: whatever went wrong, nobody has to type it again."""
    note("What you asked for, to ask again:")
    words = ["kubectl", "jit", "request", wish.policy.key.name, *option(namespace).split()]
    words += ["--role", f"{wish.role.kind}/{wish.role.name}", "--for", format_duration(wish.length), "--reason", wish.reason]
    words += ["--ticket", wish.ticket] if wish.ticket else []
    words += ["--at", format_time(wish.start)] if wish.start else []
    command(shlex.join(words))
