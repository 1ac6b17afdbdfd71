"""What is wrong with a sink: told when it begins, when it lasts, and when it is over."""

import logging
from collections.abc import Callable

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
LASTING = 300.0  # seconds after which it is an alarm
AGAIN = 3600.0  # and is told again

log = logging.getLogger(__name__)

Tell = Callable[[str, str, bool], None]  # reason, message, and whether somebody should look


class Trouble:
    """`why` a sink takes nothing, empty while it does; `tell` posts an Event, `failures` counts since the process began."""

    def __init__(self, sink: str, tell: Tell) -> None:
        self.why = ""
        self.failures = 0
        self._sink = sink
        self._tell = tell
        self._row = 0
        self._began = self._told_at = 0.0

    @property
    def pause(self) -> float:
        """Seconds until the next try; longer each time."""
        return min(FIRST_PAUSE * 2.0 ** min(max(self._row - 1, 0), 16), LONGEST_PAUSE)

    def note(self, why: str, at: float) -> None:
        """It has failed once more, at that uptime."""
        self.failures += 1
        self._row += 1
        facts = {"sink": self._sink, "failures": self._row}
        if not self.why:
            self._began, self._told_at = at, 0.0
            log.warning("the audit sink takes nothing: %s", why, extra=facts)
        self.why = why
        lasts = at - self._began
        if lasts >= LASTING and (not self._told_at or at - self._told_at >= AGAIN):
            self._told_at = at
            log.error("the audit sink has taken nothing for %d minutes: %s", lasts / 60, why, extra=facts)
            self._tell("AuditSinkAway", f"sink {self._sink} has taken nothing for {lasts / 60:.0f} minutes: {why}", True)

    def clear(self) -> None:
        """It takes events."""
        if self.why:
            log.info("the audit sink takes events again", extra={"sink": self._sink, "failures": self._row})
        if self.why and self._told_at:
            self._tell("AuditSinkBack", f"sink {self._sink} takes events again", False)
        self.why, self._row = "", 0
