"""The command `kubectl jit`: its commands, what it says without arguments, and how errors become exit codes."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module
from keyword import iskeyword

import click

from jitaccess import __version__
from jitaccess.cli.api.errors import CliError, ExitCode
from jitaccess.cli.commands.options import connects, write_options
from jitaccess.cli.terminal.output import complain

# Section -> command -> (its module, its line in the help); a module is imported when its command is run.
_SECTIONS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "Ask": {
        "request": ("asking", "Ask for a role, for a while, for a reason."),
        "extend": ("asking", "Ask to go on after a grant ends."),
        "withdraw": ("deciding", "Take back your request, or end your access early."),
    },
    "Decide": {
        "review": ("reviewing", "Go through what waits for you: approve, deny, skip or quit."),
        "approve": ("deciding", "Approve requests, after a look at them."),
        "deny": ("deciding", "Deny requests."),
        "revoke": ("ending", "End somebody's access, at once; with --all all of it."),
        "reviewed": ("judging", "Say of emergency access that is over: it was fine, or misuse."),
    },
    "Lock": {
        "lock": ("locking", "Lock people out: they have nothing, and neither ask nor decide."),
        "unlock": ("locking", "Lift a lock."),
        "locks": ("locking", "List who is locked out, by whom and why."),
    },
    "Look": {
        "ls": ("looking", "List requests: yours, or those that wait for you."),
        "show": ("showing", "Show all there is to know about a request."),
        "watch": ("watching", "Follow a request to its end, or a list as it changes."),
        "policies": ("offering", "What you may ask for here, and who decides."),
        "explain": ("explaining", "May they? Under which policy? Who decides? Why not?"),
        "export": ("exporting", "Write out the record, for auditors."),
        "audit": ("auditing", "Verify and sample the record that the operator has exported."),
    },
    "Write": {
        "lint": ("linting", "Check policies offline, for Git."),
    },
    "Use": {
        "as": ("being", "Run one kubectl command as the temporary identity of a grant."),
        "kubeconfig": ("being", "Print a kubeconfig that is the temporary identity of a grant."),
        "credential": ("being", "Print a login for a grant, as such a kubeconfig asks for it."),
    },
    "Set up": {
        "completion": ("completion", "Print the completion script for your shell."),
        "version": ("versions", "The version of the plugin, and what the cluster serves."),
        "help": ("helping", "Help for a command."),
    },
}
_COMMANDS = {name: command for commands in _SECTIONS.values() for name, command in commands.items()}
_ALIASES = {"list": "ls", "get": "show", "describe": "show", "reject": "deny", "cancel": "withdraw", "policy": "policies"}
# Other tools' words that are no command here -> what to type instead.
_SUGGESTIONS = {
    **dict.fromkeys(("create", "new", "add", "ask", "elevate", "activate", "grant", "escalate"), "request"),
    **dict.fromkeys(("apply", "replace"), "request -f FILE"),
    **dict.fromkeys(("status", "info", "inspect"), "show"),
    **dict.fromkeys(("pending", "inbox", "todo"), "review"),
    **dict.fromkeys(("delete", "remove", "rm", "end", "stop", "drop", "deactivate", "release"), "withdraw"),
    **dict.fromkeys(("terminate", "kill"), "revoke"),
    **dict.fromkeys(("acknowledge", "ack", "misuse", "judge"), "reviewed"),
    **dict.fromkeys(("renew", "prolong", "continue"), "extend"),
    **dict.fromkeys(("whoami", "can-i", "check", "why", "auth"), "explain"),
    **dict.fromkeys(("report", "history", "log", "logs", "dump"), "export"),
    **dict.fromkeys(("roles", "available"), "policies"),
    **dict.fromkeys(("wait", "follow"), "watch"),
    **dict.fromkeys(("block", "ban", "disable", "quarantine"), "lock"),
    **dict.fromkeys(("unblock", "unban", "enable", "lift"), "unlock"),
    **dict.fromkeys(("validate", "verify", "test"), "lint"),
}
_WELCOME = """\
Just-in-time access: ask for a role for a while, somebody approves, it ends by itself.

  kubectl jit request             ask; shows what you may ask for
  kubectl jit ls                  your requests and what became of them
  kubectl jit review              what waits for your decision, one after the other

All commands: kubectl jit --help"""


class _Jit(click.Group):
    """The commands in sections, a few other people's words for them, and a guess at typing errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's signature)
        name = _ALIASES.get(cmd_name, cmd_name)
        if name not in _COMMANDS:
            return None
        module, words = _COMMANDS[name]
        function = f"{name}_" if iskeyword(name) else name
        command: click.Command = getattr(import_module(f"jitaccess.cli.commands.{module}"), function)
        command.short_help = words
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not ctx.resilient_parsing and _ALIASES.get(args[0], args[0]) not in _COMMANDS:
            meant = suggested(args[0])
            ctx.fail(f"there is no command {args[0]!r}" + (f"; did you mean {meant}?" if meant else ""))
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in _SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, words) for name, (_, words) in commands.items()])
        write_options(self, ctx, formatter)


def suggested(word: str) -> str:
    """What somebody who typed this may have meant; empty if nobody knows."""
    close = get_close_matches(word, [*_COMMANDS, *_ALIASES, *_SUGGESTIONS], 1)
    found = word if word in _SUGGESTIONS else close[0] if close else ""
    return _SUGGESTIONS.get(found, found)


@click.group(
    cls=_Jit, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@connects
@click.version_option(__version__, prog_name="kubectl jit")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Just-in-time access to Kubernetes: ask for a role for a while, have it approved, and it ends by itself.

    The plugin acts with your own credentials, through the same checks as plain kubectl, which can do all of this too.

    Exit codes: 0 granted or done, 1 error, 2 usage, 3 the answer is no (refused, denied, revoked, withdrawn or
    failed), 4 timed out.
    """
    if ctx.invoked_subcommand is None:
        click.echo(_WELCOME)


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code."""
    try:
        code = cli.main(args=list(args), prog_name="kubectl jit", complete_var="_KUBECTL_JIT_COMPLETE", standalone_mode=False)
        return int(code or ExitCode.DONE)
    except BrokenPipeError:
        raise
    except (CliError, click.ClickException, click.Abort, OSError) as error:
        message, hint, code = _reported(error)
        complain(message, hint)
        return code


def _reported(error: Exception) -> tuple[str, str, ExitCode]:
    match error:
        case CliError():
            return error.message, error.hint, error.code
        case click.UsageError():
            command = error.ctx.command_path if error.ctx else "kubectl jit"
            return error.format_message(), f"{command} --help", ExitCode.USAGE
        case click.ClickException():
            return error.format_message(), "", ExitCode.ERROR
        case click.Abort():
            return "interrupted", "", ExitCode.INTERRUPTED
    return str(error), "", ExitCode.ERROR
