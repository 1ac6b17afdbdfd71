"""What stands between an approval and its access."""

from jitaccess.domain.rules import Objection


class Blocked(Exception):
    """Something stands between the approval and the binding; tried again."""

    def __init__(self, obstacle: Objection) -> None:
        super().__init__(obstacle.message)
        self.obstacle = obstacle


class NotYet(Exception):
    """Nothing stands in the way, but something is still on its way that the binding waits for; tried again very soon."""
