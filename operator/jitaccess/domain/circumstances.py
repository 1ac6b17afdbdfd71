"""What a decision rests on beside the request and its policy. Pure."""

from dataclasses import dataclass
from datetime import datetime

from jitaccess.domain.locks import NO_LOCKS, Locks
from jitaccess.domain.model import AccessPolicy, AccessRequest, Key
from jitaccess.domain.roles import ShownRole
from jitaccess.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class Unreviewed:
    """Emergency access of some person under some policy that is not reviewed yet; it may last still."""

    key: Key
    requester: str
    active: bool


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What was read around a request; what was not read speaks against nothing."""

    role: ShownRole | None = None
    usage: Usage | None = None
    unreviewed: tuple[Unreviewed, ...] = ()  # emergency access of the same person under the same policy
    locks: Locks = NO_LOCKS


@dataclass(frozen=True, slots=True)
class Case:
    """All that a rule goes by."""

    request: AccessRequest
    policy: AccessPolicy
    now: datetime
    around: Circumstances


NOTHING_AROUND = Circumstances()
