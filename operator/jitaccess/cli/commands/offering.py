"""What one may ask for here: `policies`."""

import click

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import ExitCode
from jitaccess.cli.api.everywhere import Everywhere
from jitaccess.cli.api.session import Session, pass_session
from jitaccess.cli.commands import options
from jitaccess.cli.commands.filters import note_narrowed
from jitaccess.cli.commands.options import connects
from jitaccess.cli.commands.rights import Rights, dump_rights, of_concern, rights_under
from jitaccess.cli.terminal.output import Column, note, show_table
from jitaccess.wording.describe import place, shortened, untold, who_decides
from jitaccess.wording.terms import terms

_COLUMNS = (
    Column("POLICY"),
    Column("YOU"),
    Column("ROLES", wraps=True),
    Column("AT MOST", keep=3),
    Column("DECIDED BY", keep=2, wraps=True),
    Column("PURPOSE", keep=1, wraps=True),
)


@click.command(cls=options.Command)
@options.everywhere
@options.output("json", "yaml", "name")
@connects
@pass_session
def policies(session: Session, everywhere: bool, output: str | None) -> int:
    """What may I ask for here, for how long, and who decides?

    The column YOU is the API server's own answer for you, as `kubectl auth can-i` gives it.
    """
    client = session.client
    wide = Everywhere(client)
    rights = _rights_everywhere(client, wide) if everywhere else rights_under(client, client.policies(client.namespace), None)
    rights = of_concern(rights)
    note_narrowed(wide)
    if output:
        dump_rights(rights, output)
        return ExitCode.DONE
    if not rights:
        note(f"There are no policies in {'any namespace' if everywhere else place(client.namespace)}.")
        return ExitCode.DONE
    columns = [*_COLUMNS[:1], *([Column("NAMESPACE", least=8, keep=5)] * everywhere), *_COLUMNS[1:]]
    show_table(columns, (_row(one, everywhere) for one in rights))
    if everywhere and (many := [policy for policy in client.for_many() if policy.selector]):
        note(f"Left out: {len(many)} for many namespaces; kubectl jit policies -n NAMESPACE shows those that select it.")
    for one in rights:
        if asked := terms(one.policy):
            note(f"{one.policy.key.name}: {asked}")
        if one.not_ready or one.unseen:
            note(f"{one.policy.key.name}{' is not in force' if one.not_ready else ''}: {one.not_ready or one.unseen}")
        if words := untold(one.policy):
            note(f"{one.policy.key.name}: {words}")
    return ExitCode.DONE


def _rights_everywhere(client: Client, everywhere: Everywhere) -> list[Rights]:
    cluster = client.of_the_cluster
    whole = rights_under(cluster, cluster.policies(""), None)
    mine = [one for one in whole if one.may_request or one.may_approve or one.may_review]
    found = everywhere.policies(alone=not mine)
    return [*mine, *rights_under(client, sorted(found, key=lambda policy: policy.key), None)]


def _row(rights: Rights, with_namespace: bool) -> list[str]:
    policy = rights.policy
    return [
        policy.key.name,
        *([policy.key.namespace or "(cluster)"] * with_namespace),
        rights.words,
        ", ".join(role.name for role in policy.roles),
        shortened(policy.max_duration),
        who_decides(policy),
        policy.description,
    ]
