"""The command `kubectl jit`: its groups of commands, what it says without arguments, and how errors become exit codes."""

import errno
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches

import click

from jitaccess.cli import asking, completion, deciding, explaining, exporting, looking, watching
from jitaccess.cli.errors import CliError, ExitCode
from jitaccess.cli.options import write_options
from jitaccess.cli.session import connects

_SECTIONS = {
    "Ask": (asking.request, asking.extend, deciding.withdraw),
    "Decide": (deciding.approve, deciding.deny, deciding.revoke),
    "Look": (looking.ls, looking.show, watching.watch, explaining.policies, explaining.explain, exporting.export),
    "Set up": (completion.completion,),
}
_ALIASES = {"list": "ls", "get": "show", "describe": "show", "reject": "deny", "cancel": "withdraw", "policy": "policies"}
_WELCOME = """\
Just-in-time access: ask for a role for a while, somebody approves, it ends by itself.

  kubectl jit request             ask; shows what you may ask for
  kubectl jit ls                  your requests and what became of them
  kubectl jit ls --reviewable     what waits for your decision; then: kubectl jit approve NAME

All commands: kubectl jit --help"""


class _Jit(click.Group):
    """The group with its commands in sections, a few other people's words for them, and a guess at typing errors."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return super().get_command(ctx, _ALIASES.get(cmd_name, cmd_name))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            close = get_close_matches(args[0], [*self.commands, *_ALIASES], 1)
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {close[0]}?" if close else ""))
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(str(command.name), command.get_short_help_str(70)) for command in commands])
        write_options(self, ctx, formatter)


@click.group(cls=_Jit, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@connects
@click.version_option(package_name="jitaccess", prog_name="kubectl jit")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Just-in-time access to Kubernetes: ask for a role for a while, have it approved, and it ends by itself.

    The plugin acts with your own credentials, through the same checks as plain kubectl, which can do all of this too.
    """
    if ctx.invoked_subcommand is None:
        click.echo(_WELCOME)


for _commands in _SECTIONS.values():
    for _command in _commands:
        cli.add_command(_command)


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
