"""The command `version`: the plugin's own, and what the cluster serves."""

import click

from jitaccess import __version__
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.options import connects
from jitaccess.cli.terminal.output import dump_value, fields
from jitaccess.domain.model import API_VERSION


@click.command("version", cls=options.Command)
@click.option("--client", "alone", is_flag=True, help="Only the plugin's own; the cluster is not asked.")
@options.output("json", "yaml")
@connects
@pass_session
def version(session: Session, alone: bool, output: str | None) -> None:
    """Show the version of the plugin and the API that it speaks, and which versions of that API the cluster serves."""
    if output:
        found = {"version": __version__, "apiVersion": API_VERSION} | ({} if alone else {"served": session.client.served()})
        dump_value(found, output)
        return
    fields([("Plugin ", f"{__version__}, speaks {API_VERSION}")])
    if not alone:
        fields([("Cluster", f"serves {', '.join(session.client.served())}")])
