"""Command line options that several commands share, and how help shows them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce, update_wrapper
from typing import Any, TypeVar

import click

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.api.session import META, parse_seconds
from jitaccess.cli.commands.candidates import complete_contexts, complete_namespaces

F = TypeVar("F", bound=Callable[..., Any])

_KUBECTLS_FORMS = (
    *("wide", "jsonpath", "jsonpath-as-json", "jsonpath-file", "go-template", "go-template-file", "template", "templatefile"),
    *("custom-columns", "custom-columns-file", "kyaml"),
)
CONNECTION = ("namespace", "cluster", "context", "kubeconfig", "as_user", "as_group", "request_timeout")


@dataclass(frozen=True, slots=True)
class Manner:
    """How to ask: whether to wait, how many seconds at most (None: until it times out), whether only to try, what to print."""

    wait: bool
    seconds: float | None
    dry_run: bool
    output: str | None


# Options as other tools call them -> ours; only those that a command has are suggested.
_OTHERS_WORDS: Mapping[str, tuple[str, ...]] = {
    "--reason": ("--note",),
    "--message": ("--note", "--reason"),
    "--comment": ("--note", "--reason"),
    "--justification": ("--reason", "--note"),
    "-m": ("--reason",),
    "-r": ("--note",),
    "--duration": ("--for",),
    "--ttl": ("--for",),
    "--time": ("--for",),
    "--expires": ("--for",),
    "--cluster-role": ("--role",),
    "--clusterrole": ("--role",),
    "--requester": ("--user",),
    "--watch": ("--wait",),
    "--force": ("--yes",),
    "--format": ("--output",),
    "--filename": ("--file",),
}


class Command(click.Command):
    """A command whose help lists the connection options, the same everywhere, after its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            has = {name for param in self.params for name in param.opts}
            meant = [name for name in _OTHERS_WORDS.get(error.option_name, ()) if name in has]
            if not meant:
                raise
            raise click.UsageError(f"there is no option {error.option_name}; did you mean {meant[0]}?", ctx) from None

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
    click.option("--cluster", is_flag=True, help="The whole cluster, and no namespace: ClusterAccessRequests.", **_SETTINGS),
    click.option("--context", metavar="NAME", help="The context.", shell_complete=complete_contexts, **_SETTINGS),
    click.option("--kubeconfig", metavar="FILE", type=click.Path(), help="The kubeconfig file.", **_SETTINGS),
    click.option("--as", "as_user", metavar="USER", help="Act as this user.", **_SETTINGS),
    click.option("--as-group", metavar="GROUP", multiple=True, help="With --as: and as a member of this group.", **_SETTINGS),
    click.option("--request-timeout", metavar="DURATION", help="How long to wait for the API server (30s).", **_SETTINGS),
)


class _Forms(click.Choice[str]):
    """What -o takes; a form that only kubectl has is refused with the way to get it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        kind = str(value).partition("=")[0]
        if kind in self.choices or kind not in _KUBECTLS_FORMS:
            return super().convert(value, param, ctx)
        ours = f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
        raise UsageError(f"-o {kind} is kubectl's: here it is {ours}", "`kubectl get accessrequests` has it; or -o json | jq")


def output(*forms: str) -> Callable[[F], F]:
    """The option -o with the machine formats that a command has."""
    machine = [form for form in forms if form != "wide"]
    wide = " With wide, for people, but with more columns and uncut." if "wide" in forms else ""
    help_text = f"Print {', '.join(machine[:-1])} or {machine[-1]} instead of text for people.{wide}"
    return click.option("-o", "--output", type=_Forms(forms), metavar="|".join(forms), help=help_text)


everywhere = click.option("-A", "--all-namespaces", "everywhere", is_flag=True, help="All namespaces that you may see.")
dry_run = click.option("--dry-run", is_flag=True, help="Ask the API server whether it would accept this; change nothing.")
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask.")
note = click.option("-m", "--note", metavar="TEXT", help="A line for the record.")
_manner = all_of(
    click.option("--wait", is_flag=True, help="Wait until it is granted or refused, and show what is going on."),
    click.option("--timeout", metavar="DURATION", help="With --wait: give up waiting after this time (exit code 4)."),
    dry_run,
    output("json", "yaml", "name"),
)


def manner(function: Callable[..., int]) -> Callable[..., int]:
    """The options that say how to ask; the command gets them as `manner`. --timeout includes --wait."""

    def with_manner(*args: Any, wait: bool, timeout: str | None, dry_run: bool, output: str | None, **kwargs: Any) -> int:
        seconds = parse_seconds(timeout, "--timeout") if timeout else None
        return function(*args, manner=Manner(wait or seconds is not None, seconds, dry_run, output), **kwargs)

    return _manner(update_wrapper(with_manner, function))
