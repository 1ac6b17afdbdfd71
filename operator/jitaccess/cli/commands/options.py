"""Command line options that several commands share, and how help shows them."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from jitaccess.cli.api.session import META
from jitaccess.cli.commands.candidates import complete_contexts, complete_namespaces

F = TypeVar("F", bound=Callable[..., Any])

CONNECTION = ("namespace", "context", "kubeconfig", "as_user", "as_group", "request_timeout")


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


def connects(function: F) -> F:
    """Add the connection options; given after the command they win over those given before it."""
    settings: dict[str, Any] = {"expose_value": False, "callback": _remember}
    for option in reversed(
        (
            click.option(
                "-n", "--namespace", metavar="NAME", help="The namespace.", shell_complete=complete_namespaces, **settings
            ),
            click.option("--context", metavar="NAME", help="The context.", shell_complete=complete_contexts, **settings),
            click.option("--kubeconfig", metavar="FILE", type=click.Path(), help="The kubeconfig file.", **settings),
            click.option("--as", "as_user", metavar="USER", help="Act as this user.", **settings),
            click.option(
                "--as-group", metavar="GROUP", multiple=True, help="With --as: and as a member of this group.", **settings
            ),
            click.option("--request-timeout", metavar="DURATION", help="How long to wait for the API server (30s).", **settings),
        )
    ):
        function = option(function)
    return function


def output(*forms: str) -> Callable[[F], F]:
    """The option -o with the machine formats that a command has."""
    help_text = f"Print {', '.join(forms[:-1])} or {forms[-1]} instead of text for people."
    return click.option("-o", "--output", type=click.Choice(forms), metavar="|".join(forms), help=help_text)


everywhere = click.option(
    "-A", "--all-namespaces", "everywhere", is_flag=True, help="All namespaces (needs cluster-wide rights)."
)
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
note = click.option("-m", "--note", metavar="TEXT", help="A line for the record.")
waiting = click.option("--wait", is_flag=True, help="Wait until it is granted or refused, and show what is going on.")
timeout = click.option("--timeout", metavar="DURATION", help="With --wait: give up waiting after this time (exit code 4).")
dry_run = click.option("--dry-run", is_flag=True, help="Ask the API server whether it would accept this; change nothing.")
