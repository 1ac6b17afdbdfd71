"""What stands between an approval and its access."""

from jitaccess.domain.model import Manifest
from jitaccess.domain.obstacles import name_taken
from jitaccess.domain.rules import Objection
from jitaccess.domain.verdicts import Grant
from jitaccess.manifests.grant import is_managed
from jitaccess.manifests.resources import Resource


class Blocked(Exception):
    """Something stands between the approval and the binding; tried again."""

    def __init__(self, obstacle: Objection) -> None:
        super().__init__(obstacle.message)
        self.obstacle = obstacle


class NotYet(Exception):
    """Nothing stands in the way, but something is still on its way that the binding waits for; tried again very soon."""


def must_be_ours(resource: Resource, found: Manifest, grant: Grant) -> None:
    """Blocked where what stands in the place of an object of that grant is not ours."""
    if not is_managed(found, grant.request_uid):
        raise Blocked(name_taken(resource.kind, found["metadata"]["name"]))
