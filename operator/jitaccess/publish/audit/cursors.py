"""The cursors of all sinks, kept in one ConfigMap that the component audit brings; only whoever leads writes them."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Mapping

from jitaccess.domain.model import Key, Manifest
from jitaccess.kube.api import Cluster, Conflict, Outage
from jitaccess.manifests.checkpoint import CURSORS, Cursor, cursor_text, cursors_in, new_stream, parse_cursor
from jitaccess.manifests.resources import CONFIG_MAPS, NAMESPACES
from jitaccess.publish.audit.scanning import current_version

log = logging.getLogger(__name__)


class NoCursor(Exception):
    """There is no ConfigMap, or something else is in it."""


class Cursors:
    """Reads and writes them; remembers what it has written."""

    def __init__(self, cluster: Cluster, leads: Callable[[], bool]) -> None:
        self.leads = leads
        self.uid = ""  # of the ConfigMap, for Events about it
        self._cluster = cluster
        self._known: dict[str, Cursor] = {}
        self._cluster_uid = ""
        self._lock = asyncio.Lock()

    def known(self, sink: str) -> Cursor | None:
        """The cursor of a sink as we read or wrote it last."""
        return self._known.get(sink)

    def forget(self) -> None:
        """Another replica may write them."""
        self._known.clear()

    async def load(self, sink: str, *, fresh: bool = True) -> Cursor:
        """The cursor of a sink, a new one if it has none; NoCursor if it cannot be read."""
        if not fresh and (known := self._known.get(sink)):
            return known
        texts = cursors_in(await self._config_map())
        cursor = _parsed(sink, texts[sink]) if sink in texts else new_stream(str(uuid.uuid4()))
        if cursor.version > await current_version(self._cluster):
            log.warning("the cluster was restored from a backup: everything on record is exported again", extra={"sink": sink})
            cursor = Cursor(cursor.stream, cursor.number, cursor.hash, event=cursor.event)
        self._known[sink] = cursor
        return cursor

    async def store(self, sink: str, cursor: Cursor) -> None:
        """Write a cursor; Conflict if somebody else has written that of this sink since we read it."""
        async with self._lock:
            found = await self._found()
            texts = cursors_in(found)
            before = _parsed(sink, texts[sink]) if sink in texts else None
            known = self._known.get(sink)
            if (before.hash if before else "") != (known.hash if known else ""):
                raise Conflict(f"the cursor of {sink} is not the one that we know")
            await self._cluster.replace(CONFIG_MAPS, CURSORS, _with(found, {**texts, sink: cursor_text(cursor)}))
        self._known[sink] = cursor

    async def cluster_uid(self) -> str:
        """The UID of the namespace kube-system, which tells this cluster from all others."""
        if not self._cluster_uid:
            found = await self._cluster.find(NAMESPACES, Key("", "kube-system"))
            if found is None:
                raise Outage("there is no namespace kube-system to tell this cluster by")
            self._cluster_uid = found["metadata"]["uid"]
        return self._cluster_uid

    async def _found(self) -> Manifest:
        try:
            return await self._config_map()
        except NoCursor as error:
            raise Conflict(str(error)) from error

    async def _config_map(self) -> Manifest:
        found = await self._cluster.find(CONFIG_MAPS, CURSORS)
        if found is None:
            raise NoCursor(f"there is no ConfigMap {CURSORS}: add the component deploy/components/audit")
        self.uid = found["metadata"]["uid"]
        return found


def _parsed(sink: str, text: str) -> Cursor:
    try:
        return parse_cursor(text)
    except ValueError as error:
        raise NoCursor(f"the cursor of {sink} in ConfigMap {CURSORS} is {error}; remove it, and all is exported again") from error


def _with(config_map: Manifest, data: Mapping[str, str]) -> Manifest:
    return {**config_map, "data": dict(data)}
