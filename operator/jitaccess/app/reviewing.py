"""What is heard of emergency access that is over and not reviewed: remembered, and looked at where there is news."""

from collections.abc import Callable, Collection

from jitaccess.app.unreadable import Unreadable
from jitaccess.domain.model import Key, Ledger, Manifest
from jitaccess.kube.api import Cluster
from jitaccess.manifests.kinds import RequestKind
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import reviews_of
from jitaccess.manifests.status import UnknownState
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store


class ReviewWatch:
    """Hears of one kind of request. Each new one is read once, also by a replica that stands by: then it knows what is due."""

    def __init__(
        self,
        cluster: Cluster,
        store: Store,
        schedule: Schedule,
        kind: RequestKind,
        unreadable: Unreadable,
        leads: Callable[[], bool],
    ) -> None:
        self._cluster = cluster
        self._owed = store.reviews[kind.resource]
        self._schedule = schedule
        self._resource = kind.resource
        self._unreadable = unreadable
        self._leads = leads

    async def heard(self, what: str | None, item: Manifest) -> None:
        """A review is owed, or somebody has written one, or something else, or it is owed no more."""
        key, metadata = key_of(item), item["metadata"]
        if what == "DELETED":
            return self._forget(key)
        ledger = hash((metadata.get("annotations") or {}).get(Ledger.REVIEWS))
        known, target = self._owed.get(key), Target(reviews_of(self._resource), key)
        if known and (known.uid, known.ledger) == (metadata["uid"], ledger):
            return
        try:
            request = await self._cluster.request(self._resource, key)
        except UnknownState as error:
            return self._unreadable.tell(target, error)
        if request is None or request.uid != metadata["uid"]:
            return  # an event of its own says so
        self._owed.remember(request, ledger)
        if self._leads():
            self._schedule.soon(target)

    def listed(self, keys: Collection[Key]) -> None:
        """These are all that are owed."""
        for key in self._owed.keep(keys):
            self._forget(key)

    def _forget(self, key: Key) -> None:
        self._owed.forget(key)
        self._schedule.forget(Target(reviews_of(self._resource), key))
