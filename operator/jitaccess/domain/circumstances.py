"""What a decision rests on beside the request and its policy. Pure."""

from dataclasses import dataclass
from datetime import datetime

from jitaccess.domain.locks import NO_LOCKS, Locks
from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.roles import ShownRole


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What was read around a request; what was not read speaks against nothing."""

    role: ShownRole | None = None
    locks: Locks = NO_LOCKS


@dataclass(frozen=True, slots=True)
class Case:
    """All that a rule goes by."""

    request: AccessRequest
    policy: AccessPolicy
    now: datetime
    around: Circumstances


NOTHING_AROUND = Circumstances()
