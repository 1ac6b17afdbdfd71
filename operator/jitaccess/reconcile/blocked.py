"""What stands between an approval and its access."""

from jitaccess.domain.rules import Objection


class Blocked(Exception):
    """Something stands between the approval and the binding; tried again."""

    def __init__(self, obstacle: Objection) -> None:
        super().__init__(obstacle.message)
        self.obstacle = obstacle
