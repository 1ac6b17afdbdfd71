"""Whether somebody is kept out although a policy names them: a lock, as far as one may know."""

from collections.abc import Sequence

from jitaccess.cli.api.client import Client
from jitaccess.cli.api.errors import CliError, Refused
from jitaccess.cli.api.locking import locks_on
from jitaccess.cli.api.session import Session
from jitaccess.cli.commands.choosing import USUAL_DURATION, request_name
from jitaccess.cli.commands.rights import Rights
from jitaccess.cli.commands.wishes import Wish
from jitaccess.domain.model import Key


def kept_out(session: Session, user: str, allowed: Sequence[Rights]) -> str:
    """Why that user may not ask now, by the locks that I may read; of myself (no user), by a dry run of the API server's."""
    if user:
        return "; ".join(f"{user} is locked by {lock}" for lock in locks_on(session.connection, user))
    return _refusal(session.client, allowed[0]) if allowed else ""


def _refusal(client: Client, rights: Rights) -> str:
    policy = rights.policy
    key, length = Key(client.namespace, request_name(client.me)), min(USUAL_DURATION, policy.max_duration)
    wanted = Wish(policy, policy.roles[0], length, "a dry run").manifest(key, client.me)
    try:
        client.create(wanted, dry_run=True)
    except Refused as refusal:
        return refusal.message
    except CliError:
        return ""  # that is about this request, and not about whoever asks
    return ""
