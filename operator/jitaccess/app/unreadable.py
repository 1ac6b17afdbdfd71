"""Objects that this version cannot read, such as those that a newer one has recorded: told once each, and left alone."""

import logging

from jitaccess.workqueue.schedule import Target

log = logging.getLogger(__name__)


class Unreadable:
    """Remembers what was told of which object."""

    def __init__(self) -> None:
        self._told: dict[Target, str] = {}

    def tell(self, target: Target, error: Exception) -> None:
        """Log that the object is left alone, unless that was told already."""
        if self._told.get(target) != str(error):
            self._told[target] = str(error)
            log.error("%s left alone: %s", target.resource.kind, error, extra={"object": str(target)})

    def clear(self, target: Target) -> None:
        """The object can be read, or is gone."""
        self._told.pop(target, None)
