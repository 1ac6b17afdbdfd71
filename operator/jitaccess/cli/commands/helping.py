"""The command `help`: `help COMMAND` is `COMMAND --help`."""

import click

from jitaccess.cli.commands.options import Command


def _complete_commands(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    group = ctx.find_root().command
    return [name for name in group.list_commands(ctx) if name.startswith(incomplete)] if isinstance(group, click.Group) else []


@click.command("help", cls=Command)
@click.argument("command", required=False, shell_complete=_complete_commands)
def help(command: str | None) -> None:  # noqa: A001 (the command's name)
    """Show the help of a command; without one, all commands."""
    root = click.get_current_context().find_root()
    args = [command, "--help"] if command else ["--help"]
    with root.command.make_context(root.info_name, args, **root.command.context_settings) as ctx:
        root.command.invoke(ctx)
