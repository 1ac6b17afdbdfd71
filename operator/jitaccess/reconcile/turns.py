"""One after the other where two grants at the same moment must know of each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from jitaccess.domain.model import AccessPolicy, AccessRequest, PolicyRef
from jitaccess.domain.text import lower_ascii


class Turns:
    """The emergencies of one person under one policy that gives no second one before the review of the first."""

    def __init__(self) -> None:
        self._locks: WeakValueDictionary[tuple[PolicyRef, str], asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def of(self, request: AccessRequest, policy: AccessPolicy | None) -> AsyncIterator[None]:
        """Whoever is first decides and records; what they have recorded is there to be read for the next. Free for all others."""
        if policy is None or not (policy.emergency and policy.emergency.block_until_reviewed):
            yield
            return
        lock = self._locks.setdefault((request.policy, lower_ascii(request.requester)), asyncio.Lock())
        async with lock:
            yield
