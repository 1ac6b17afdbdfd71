"""Two replicas watch, one writes: stand by for the Lease, hold it, and know until when one may write.

A standby takes a Lease that it has seen unchanged for its whole duration, by its own monotonic clock; the holder stops writing
MARGIN seconds before that, counted from when it sent its last renewal.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from jitaccess.kube.api import Cluster, Conflict, Outage, Refused
from jitaccess.kube.clock import uptime, utcnow
from jitaccess.manifests.lease import DURATION, LEASE, Observed
from jitaccess.manifests.resources import LEASES

MARGIN = 2.0  # seconds between the holder's last write and the first of whoever takes over
RENEW_EVERY = 2.0
CALL_SECONDS = 2.0  # no call about the Lease may take longer
RETRY_EVERY = 0.5
NEVER = float("-inf")

log = logging.getLogger(__name__)


class Leader:
    """Stands by for the Lease, holds it, gives it back; `won` is called each time that writing becomes allowed."""

    def __init__(self, cluster: Cluster, identity: str, won: Callable[[], None], now: Callable[[], float] = uptime) -> None:
        self._cluster = cluster
        self._identity = identity
        self._won = won
        self._now = now
        self._seen = Observed(now())
        self._deadline = NEVER
        self.problem = "the Lease has not been looked at yet"  # why this replica could never lead; empty if it could

    def leads(self) -> bool:
        """Whether we may write at this very moment; to be asked right before each write."""
        return self._now() < self._deadline

    async def run(self) -> None:
        """Stand by, lead, stand by again; when cancelled, release the Lease so that nobody has to wait for it."""
        try:
            while True:
                try:
                    await self._stand_by()
                    await self._lead()
                except Conflict:
                    continue  # somebody was faster
                except (Outage, Refused, TimeoutError) as error:
                    self._note(error)
                    await asyncio.sleep(RETRY_EVERY)
        finally:
            await self._release()

    async def _stand_by(self) -> None:
        """Return when nobody holds the Lease, or nobody has renewed it for as long as it lasts."""
        while await self._look() > self._now():
            self.problem = ""
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._seen.free_at - self._now()) as patience:
                    await self._watch(patience)

    async def _watch(self, patience: asyncio.Timeout) -> None:
        # Closed here: a generator left to the garbage collector is closed by a task, and Kopf waits for those.
        async with contextlib.aclosing(self._cluster.watch(LEASES, LEASE, self._seen.version)) as changes:
            async for lease in changes:
                self._seen = self._seen.then(lease, self._now())
                left = self._seen.free_at - self._now()
                if left <= 0:
                    return
                patience.reschedule(asyncio.get_running_loop().time() + left)
        await asyncio.sleep(RETRY_EVERY)

    async def _lead(self) -> None:
        await self._renew()
        pause = RENEW_EVERY
        while self.leads():
            await asyncio.sleep(pause)
            if self.leads():
                pause = await self._renew_somehow()
        self._deadline = NEVER
        log.warning("no longer leading: standing by", extra={"identity": self._identity})

    async def _renew_somehow(self) -> float:
        """Renew the Lease if it is still ours; returns the seconds until the next time."""
        try:
            await self._renew()
        except Conflict:
            return await self._make_sure()
        except (Outage, Refused, TimeoutError) as error:
            self._note(error)
            return RETRY_EVERY
        return RENEW_EVERY

    async def _make_sure(self) -> float:
        """Another holder, or only an answer to us that got lost?"""
        with contextlib.suppress(Outage, Refused, TimeoutError):
            await self._look()
            if self._seen.holder != self._identity:
                self._deadline = NEVER
            return 0.0
        return RETRY_EVERY

    async def _renew(self) -> None:
        sent = self._now()
        await self._write(self._identity)
        won = not self.leads()
        self._deadline = sent + DURATION - MARGIN
        self.problem = ""
        if won:
            log.info("leading", extra={"identity": self._identity})
            self._won()

    async def _release(self) -> None:
        if not self.leads():
            return
        self._deadline = NEVER
        with contextlib.suppress(Outage, Refused, Conflict, TimeoutError):
            try:
                await self._write("")
            except Conflict:  # the renewal that was under way when we were told to stop
                await self._look()
                if self._seen.holder == self._identity:
                    await self._write("")
            log.info("the Lease is released", extra={"identity": self._identity})

    async def _look(self) -> float:
        async with asyncio.timeout(CALL_SECONDS):
            lease = await self._cluster.find(LEASES, LEASE)
        self._seen = self._seen.then(lease, self._now())
        return self._seen.free_at

    async def _write(self, holder: str) -> None:
        sent, wanted = self._now(), self._seen.manifest(holder, utcnow())
        async with asyncio.timeout(CALL_SECONDS):
            if self._seen.version:
                written = await self._cluster.replace(LEASES, LEASE, wanted)
            else:
                written = await self._cluster.create(LEASES, wanted)
        self._seen = self._seen.then(written, sent)

    def _note(self, error: Exception) -> None:
        problem = f"the Lease {LEASE} cannot be held: {error}"
        if isinstance(error, Refused) and problem != self.problem:
            log.error(problem)
            self.problem = problem
