"""What happened to a request, once, as a value: every sink reads this, and nothing else."""

from collections.abc import Iterable
from dataclasses import dataclass

from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import Entry
from jitaccess.manifests.resources import Resource

# What happens all day; everything else is worth a second look.
_ROUTINE = frozenset(
    {
        "Requested",
        "Approved",
        "Scheduled",
        "Granted",
        "DurationElapsed",
        "DeniedByApprover",
        "WithdrawnByRequester",
        "RevokedByRequester",
        "RevokedByApprover",
        "PendingTimeout",
        "ReviewedAsFine",
    }
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A new entry of the history of a request, with the request as it is recorded now."""

    resource: Resource
    request: AccessRequest
    entry: Entry

    @property
    def warning(self) -> bool:
        """Whether somebody should look."""
        return self.entry.reason not in _ROUTINE


def transitions(resource: Resource, request: AccessRequest, news: Iterable[Entry]) -> tuple[Transition, ...]:
    """What has just been recorded of the request, oldest first."""
    return tuple(Transition(resource, request, entry) for entry in news)
