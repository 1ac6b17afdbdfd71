"""All that may be known of one request: what approvers see before they decide, and what `show` says."""

from dataclasses import dataclass

from rich.text import Text

from jitaccess.cli.api.client import Client
from jitaccess.cli.terminal.output import styled
from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.wording.roles import SeenRole, role_asked


@dataclass(frozen=True, slots=True)
class Dossier:
    """A request with its policy and its role, as far as one may read them."""

    request: AccessRequest
    policy: AccessPolicy | None
    role: SeenRole

    @property
    def role_warnings(self) -> list[tuple[str, str | Text]]:
        """What to know about the role before deciding, as fields."""
        found = [
            ("Warning", self.role.changed, "bold red"),
            ("Warning", _listed("outlives the grant", self.role.risks), "bold red"),
            ("Note", _listed("may outlive the grant", self.role.hints), "bold yellow"),
        ]
        return [(name, styled(text, style)) for name, text, style in found if text]


def read_dossier(client: Client, request: AccessRequest, policy: AccessPolicy | None) -> Dossier:
    """Read what belongs to the request, whose policy is known as far as one may read it."""
    live = client.role(request.role, request.key.namespace)
    return Dossier(request, policy, role_asked(request, live, policy))


def _listed(what: str, entries: tuple[str, ...]) -> str:
    return f"{what}: {', '.join(entries)}" if entries else ""
