"""Setting up shell completion: scripts for `kubectl-jit`, and kubectl's own protocol for `kubectl jit`."""

from collections.abc import Sequence

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from jitaccess.cli.commands.options import Command

_CLASSES: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_NO_FILES = 4  # cobra's ShellCompDirectiveNoFileComp


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(list(_CLASSES)))
def completion(shell: str) -> None:
    """Print the completion script for your shell.

    \b
    bash   source <(kubectl jit completion bash)                 in ~/.bashrc
    zsh    source <(kubectl jit completion zsh)                  in ~/.zshrc, after compinit
    fish   kubectl jit completion fish | source                  in ~/.config/fish/config.fish

    That completes `kubectl-jit`. For `kubectl jit`, kubectl's own completion is enough (kubectl 1.26+): it asks the program
    kubectl_complete-jit, which is installed beside the plugin.
    """
    cli = click.get_current_context().find_root().command
    click.echo(_CLASSES[shell](cli, {}, "kubectl-jit", "_KUBECTL_JIT_COMPLETE").source())


def answer_kubectl(cli: click.Command, words: Sequence[str]) -> int:
    """Print what may come next as kubectl (cobra) reads it: value, tab, description; the last line says to offer no files."""
    *before, incomplete = words or [""]
    completer = ShellComplete(cli, {}, "kubectl jit", "_KUBECTL_JIT_COMPLETE")
    for item in completer.get_completions(list(before), incomplete):
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    click.echo(f":{_NO_FILES}")
    return 0
