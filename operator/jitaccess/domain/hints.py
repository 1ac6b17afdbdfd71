"""What may outlive the hour, as data: rights on other people's APIs, and what they may allow, in words."""

from jitaccess.domain.effects import Effect

HINTS: tuple[Effect, ...] = ()
