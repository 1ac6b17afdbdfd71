"""What stands between an approval and its access."""

from jitaccess.domain.model import Manifest
from jitaccess.domain.obstacles import component_missing, name_taken, not_installed
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import Grant
from jitaccess.kube.installation import Installation
from jitaccess.manifests.grant import is_managed
from jitaccess.manifests.kinds import COMPONENTS, RequestKind
from jitaccess.manifests.resources import Resource


class Blocked(Exception):
    """Something stands between the approval and the binding; tried again."""

    def __init__(self, obstacle: Objection) -> None:
        super().__init__(obstacle.message)
        self.obstacle = obstacle


class NotYet(Exception):
    """Nothing stands in the way, but something is still on its way that the binding waits for; tried again very soon."""


def must_be_installed(installation: Installation, kind: RequestKind) -> None:
    """Blocked where something of what such grants rest on is missing; NotYet before anybody has looked, which says nothing."""
    if not installation.checked:
        raise NotYet(*installation.problems)
    if installation.problems:
        raise Blocked(not_installed(installation.problems))
    component = kind.component
    if component and not installation.has(component):
        raise Blocked(component_missing(component, COMPONENTS[component].kind))


def must_be_ours(resource: Resource, found: Manifest, grant: Grant) -> None:
    """Blocked where what stands in the place of an object of that grant is not ours."""
    if not is_managed(found, grant.request_uid):
        raise Blocked(name_taken(resource.kind, found["metadata"]["name"]))
