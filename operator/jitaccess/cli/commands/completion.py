"""Setting up shell completion: scripts for `kubectl-jit`, and kubectl's own protocol for `kubectl jit`."""

from collections.abc import Sequence

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from jitaccess.cli.commands.options import Command

_CLASSES: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}
_FILES, _NO_FILES = 0, 4  # cobra's ShellCompDirectiveDefault and ShellCompDirectiveNoFileComp


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
    """Print what may come next as kubectl (cobra) reads it: value, tab, description; the last line is about files."""
    *before, incomplete = words or [""]
    completer = ShellComplete(cli, {}, "kubectl jit", "_KUBECTL_JIT_COMPLETE")
    items = completer.get_completions(list(before), incomplete)
    for item in items:
        if item.type == "plain":
            click.echo(f"{item.value}\t{item.help}" if item.help else item.value)
    takes_files = any(item.type in ("file", "dir") for item in items)
    click.echo(f":{_FILES if takes_files else _NO_FILES}")
    return 0
