"""Command line options that several commands share, and how help shows them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce, update_wrapper
from typing import Any, TypeVar

import click

from jitaccess.cli.api.session import META, parse_seconds
from jitaccess.cli.commands.candidates import complete_contexts, complete_namespaces

F = TypeVar("F", bound=Callable[..., Any])

CONNECTION = ("namespace", "context", "kubeconfig", "as_user", "as_group", "request_timeout")


@dataclass(frozen=True, slots=True)
class Manner:
    """How to ask: whether to wait, how many seconds at most (None: until it times out), whether only to try, what to print."""

    wait: bool
    seconds: float | None
    dry_run: bool
    output: str | None


class Command(click.Command):
    """A command whose help lists the connection options, the same everywhere, after its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        write_options(self, ctx, formatter)


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options of a command in two sections."""
    params = [param for param in command.get_params(ctx) if isinstance(param, click.Option)]
    sections = {
        "Options": [p for p in params if p.name not in CONNECTION],
        "Connection, as in kubectl": [p for p in params if p.name in CONNECTION],
    }
    for title, chosen in sections.items():
        records = [record for record in (param.get_help_record(ctx) for param in chosen) if record]
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        ctx.meta.setdefault(META, {})[param.name] = value


def all_of(*options: Callable[[F], F]) -> Callable[[F], F]:
    """Several options as one; help lists them in this order."""

    def add(function: F) -> F:
        return reduce(lambda decorated, option: option(decorated), reversed(options), function)

    return add


_SETTINGS: dict[str, Any] = {"expose_value": False, "callback": _remember}
# Given after the command they win over those given before it.
connects = all_of(
    click.option("-n", "--namespace", metavar="NAME", help="The namespace.", shell_complete=complete_namespaces, **_SETTINGS),
    click.option("--context", metavar="NAME", help="The context.", shell_complete=complete_contexts, **_SETTINGS),
    click.option("--kubeconfig", metavar="FILE", type=click.Path(), help="The kubeconfig file.", **_SETTINGS),
    click.option("--as", "as_user", metavar="USER", help="Act as this user.", **_SETTINGS),
    click.option("--as-group", metavar="GROUP", multiple=True, help="With --as: and as a member of this group.", **_SETTINGS),
    click.option("--request-timeout", metavar="DURATION", help="How long to wait for the API server (30s).", **_SETTINGS),
)


def output(*forms: str) -> Callable[[F], F]:
    """The option -o with the machine formats that a command has."""
    help_text = f"Print {', '.join(forms[:-1])} or {forms[-1]} instead of text for people."
    return click.option("-o", "--output", type=click.Choice(forms), metavar="|".join(forms), help=help_text)


everywhere = click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="All namespaces that you may see.")
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
note = click.option("-m", "--note", metavar="TEXT", help="A line for the record.")
_manner = all_of(
    click.option("--wait", is_flag=True, help="Wait until it is granted or refused, and show what is going on."),
    click.option("--timeout", metavar="DURATION", help="With --wait: give up waiting after this time (exit code 4)."),
    click.option("--dry-run", is_flag=True, help="Ask the API server whether it would accept this; change nothing."),
    output("json", "yaml", "name"),
)


def manner(function: Callable[..., int]) -> Callable[..., int]:
    """The options that say how to ask; the command gets them as `manner`. --timeout includes --wait."""

    def with_manner(*args: Any, wait: bool, timeout: str | None, dry_run: bool, output: str | None, **kwargs: Any) -> int:
        seconds = parse_seconds(timeout, "--timeout") if timeout else None
        return function(*args, manner=Manner(wait or seconds is not None, seconds, dry_run, output), **kwargs)

    return _manner(update_wrapper(with_manner, function))
