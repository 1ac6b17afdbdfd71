"""Locks: whose access they end and whose decisions they stay is looked at at once; what became of them goes on record."""

import logging

from jitaccess.domain.locking import next_lock_record
from jitaccess.domain.locks import Lock, LockRecorded, LockState
from jitaccess.domain.model import Key, Manifest
from jitaccess.domain.text import lower_ascii
from jitaccess.kube.api import Conflict, Outage
from jitaccess.manifests.locks import lock_status, parse_lock
from jitaccess.manifests.resources import LOCKS
from jitaccess.publish.events import News
from jitaccess.reconcile.recorder import Tools
from jitaccess.workqueue.schedule import Target

log = logging.getLogger(__name__)


class LockReconciler:
    """Reconciles locks."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._cluster = tools.cluster
        self._known = tools.store.locks

    async def reconcile(self, key: Key) -> None:
        """Make the requests of the people whom it locks, and its own record, agree with the lock as it is now."""
        found = await self._cluster.find(LOCKS, key)
        lock, before = parse_lock(found) if found else None, self._known.get(key.name)
        if lock:
            self._known.see(lock)
        else:
            self._known.forget(key.name)
        # First of all, whatever becomes of the record.
        self._wake(key.name, lock, before)
        if lock is None or (lock.settled and not self._known.uncounted(key.name)):
            self._tools.schedule.done(_target(key.name))
            return
        if lock.until and not lock.settled:
            self._tools.schedule.at(_target(key.name), lock.until)
        await self._record(lock)

    def _wake(self, name: str, lock: Lock | None, before: Lock | None, *, settled: bool = False) -> None:
        """Look at the requests of those people, and at whatever may count on their approval; once for each change.

        The API server heeds a lock until it is on record that it is over, so that is a change, whatever we knew of it.
        """
        holds = lock is not None and lock.holds(self._tools.now())
        which = lock or before
        if which is None or not (self._known.heed(name, which.uid if holds else "") or settled):
            return
        people = which.people
        for resource, requests in self._tools.store.requests.items():
            for key, known in requests.all():
                if known.waits or known.scheduled or lower_ascii(known.requester) in people:
                    requests.take(key)  # what the watch reported may be older than the lock
                    self._tools.schedule.soon(Target(resource, key))

    async def _record(self, lock: Lock) -> None:
        ended = self._known.take_ended(lock.name, lock.recorded.ended)
        recorded = next_lock_record(lock, ended, self._tools.now())
        try:
            if recorded != lock.recorded and (written := await self._write(lock, recorded)):
                self._known.see(written)
                self._tell(lock, recorded)
        except Conflict:
            # Somebody lifted it, another replica looked, or what we wrote before arrived late, since we read.
            self._known.unsure(lock.name, ended, recorded.ended)
            self._tools.schedule.retry(_target(lock.name))
            return
        except Outage:
            self._known.unsure(lock.name, ended, recorded.ended)  # the answer may be lost, and the record written
            raise
        if recorded.settled_at:
            self._wake(lock.name, None, lock, settled=not lock.settled)
        self._tools.schedule.done(_target(lock.name))

    async def _write(self, lock: Lock, recorded: LockRecorded) -> Lock | None:
        """Write the record on top of the one that was read; None if the lock is gone."""
        same: list[Manifest] = [
            {"op": "test", "path": "/metadata/generation", "value": lock.generation},
            {"op": "test", "path": "/status/endedGrants", "value": lock.recorded.ended if lock.recorded.state else None},
        ]
        written = await self._cluster.write_status(LOCKS, Key("", lock.name), lock.uid, lock_status(recorded), *same)
        return parse_lock(written) if written else None

    def _tell(self, lock: Lock, recorded: LockRecorded) -> None:
        for entry in recorded.history[len(lock.recorded.history) :]:
            facts = {"lock": lock.name, "uid": lock.uid, "subjects": list(lock.subjects), "reason": entry.reason}
            log.warning("lock %s", entry.reason, extra=facts | {"by": entry.by, "note": entry.message})
            words = f"by {entry.by}: {entry.message}" if entry.by else entry.message
            news = News(LOCKS, Key("", lock.name), lock.uid, entry.reason, words, entry.state is LockState.ACTIVE)
            self._tools.publisher.tell(news)


def _target(name: str) -> Target:
    return Target(LOCKS, Key("", name))
