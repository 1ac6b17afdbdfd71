"""The channels kept as the file has them: read again when it or the Secret changes; if they are wrong, the old ones stay."""

import asyncio
import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path

from jitaccess.app.notifications import Read, read_notifications
from jitaccess.publish.notify.channels import Channels
from jitaccess.publish.notify.child import Child

NOTIFICATION_SECRETS = Path("/etc/jitaccess-notifications/secrets")  # deploy/components/notifications
LOOK_SECONDS = 5.0
MOST_SECRETS = 256  # files; a Secret has at most a megabyte

log = logging.getLogger(__name__)


class Configuration:
    """The file and the folder of secrets; `problem` says what is wrong with them as they are now, empty if nothing is."""

    def __init__(self, file: Path, secrets: Path, child: Child) -> None:
        self.problem = ""
        self._file = file
        self._secrets = secrets
        self._child = child
        self._seen: tuple[object, ...] | None = None

    async def read(self) -> Channels:
        """Read and check the whole; ValueError says what is wrong, with the line and without secrets."""
        try:
            source = await asyncio.to_thread(self._file.read_text, encoding="utf-8")
        except OSError as error:
            raise ValueError(f"{self._file} cannot be read: {error.strerror}") from error
        found = await asyncio.to_thread(read_notifications, source, str(self._file), self._secrets)
        await self._check(found)
        return found.channels

    async def keep(self, apply: Callable[[Channels], None]) -> None:
        """Apply the channels as they are, and again each time that they have changed and are right."""
        while True:
            now = await asyncio.to_thread(self._state)
            if now != self._seen:
                self._seen = now
                await self._take(apply)
            await asyncio.sleep(LOOK_SECONDS)

    async def _take(self, apply: Callable[[Channels], None]) -> None:
        try:
            channels = await self.read()
        except ValueError as error:
            self.problem = str(error)
            log.error("the channels for notifications stay as they were: %s", error)
            return
        self.problem = ""
        apply(channels)
        log.info(
            "channels for notifications", extra={"channels": [*sorted(channels.channels)], "mail": bool(channels.requesters)}
        )

    async def _check(self, found: Read) -> None:
        if found.used and importlib.util.find_spec("apprise") is None:
            raise ValueError("Apprise is not installed: pip install 'jitaccess[notify]'")
        for used in found.used:
            if fault := await self._child.check(used.url):
                raise ValueError(f"{self._file}, line {used.line}: {used.where}: {fault}")

    def _state(self) -> tuple[object, ...]:
        """All that the channels are made of, as one comparable thing; files that cannot be read are part of that."""
        files = (
            sorted(path for path in self._secrets.iterdir() if path.is_file())[:MOST_SECRETS] if self._secrets.is_dir() else []
        )
        return tuple((path, _content(path)) for path in (self._file, *files))


def _content(path: Path) -> bytes | str:
    try:
        return path.read_bytes()
    except OSError as error:
        return error.strerror or "unreadable"
