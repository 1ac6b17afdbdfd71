"""The command `kubectl jit`: its commands, what it says without arguments, and how errors become exit codes."""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module

import click

from jitaccess.cli.errors import CliError, ExitCode
from jitaccess.cli.options import write_options
from jitaccess.cli.session import connects

# Section -> command -> (its module, its line in the help); a module is imported when its command is run.
_SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Ask": {
        "request": ("asking", "Ask for a role, for a while, for a reason."),
        "extend": ("asking", "Ask to go on after a grant ends."),
        "withdraw": ("deciding", "Take back your request, or end your access early."),
    },
    "Decide": {
        "approve": ("deciding", "Approve requests, after a look at them."),
        "deny": ("deciding", "Deny requests."),
        "revoke": ("deciding", "End somebody's access, at once."),
    },
    "Look": {
        "ls": ("looking", "List requests: yours, or those that wait for you."),
        "show": ("looking", "Show all there is to know about a request."),
        "watch": ("watching", "Follow a request to its end, or a list as it changes."),
        "policies": ("explaining", "What you may ask for here, and who decides."),
        "explain": ("explaining", "May they? Under which policy? Who decides? Why not?"),
        "export": ("exporting", "Write out the record, for auditors."),
    },
    "Set up": {
        "completion": ("completion", "Print the completion script for your shell."),
    },
}
_MODULES = {name: module for commands in _SECTIONS.values() for name, (module, _) in commands.items()}
_ALIASES = {"list": "ls", "get": "show", "describe": "show", "reject": "deny", "cancel": "withdraw", "policy": "policies"}
_WELCOME = """\
Just-in-time access: ask for a role for a while, somebody approves, it ends by itself.

  kubectl jit request             ask; shows what you may ask for
  kubectl jit ls                  your requests and what became of them
  kubectl jit ls --reviewable     what waits for your decision; then: kubectl jit approve NAME

All commands: kubectl jit --help"""


class _Jit(click.Group):
    """The commands in sections, a few other people's words for them, and a guess at typing errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in _MODULES:
            return None
        command = getattr(import_module(f"jitaccess.cli.{_MODULES[name]}"), name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not ctx.resilient_parsing and _ALIASES.get(args[0], args[0]) not in _MODULES:
            close = get_close_matches(args[0], [*_MODULES, *_ALIASES], 1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {close[0]}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, words) for name, (_, words) in commands.items()])
        write_options(self, ctx, formatter)


@click.group(
    cls=_Jit, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@connects
@click.version_option(package_name="jitaccess", prog_name="kubectl jit")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Just-in-time access to Kubernetes: ask for a role for a while, have it approved, and it ends by itself.

    The plugin acts with your own credentials, through the same checks as plain kubectl, which can do all of this too.

    Exit codes: 0 granted or done, 1 error, 2 usage, 3 the answer is no (refused, denied, revoked, withdrawn, failed), 4 timed out.
    """
    if ctx.invoked_subcommand is None:
        click.echo(_WELCOME)


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = cli.main(args=list(args), prog_name="kubectl jit", complete_var="_KUBECTL_JIT_COMPLETE", standalone_mode=False)
        sys.stdout.flush()
        return int(code or ExitCode.DONE)
    except click.UsageError as error:
        return _usage(error)
    except click.ClickException as error:
        return _fail(error.format_message(), "", ExitCode.ERROR)
    except CliError as error:
        return _fail(error.message, error.hint, error.code)
    except click.Abort:
        return _fail("interrupted", "", ExitCode.INTERRUPTED)
    except OSError as error:
        if error.errno != errno.EPIPE:
            return _fail(str(error), "", ExitCode.ERROR)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader (`| head`) has had enough
        return ExitCode.DONE


def _usage(error: click.UsageError) -> int:
    command = error.ctx.command_path if error.ctx else "kubectl jit"
    return _fail(error.format_message(), f"{command} --help", ExitCode.USAGE)


def _fail(message: str, hint: str, code: ExitCode) -> int:
    from jitaccess.cli.output import complain

    complain(message, hint)
    return code
