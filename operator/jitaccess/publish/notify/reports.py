"""What became of messages, counted; and said where nobody may have got one."""

import logging
from collections.abc import Iterable

from jitaccess.publish.events import Announcer, News
from jitaccess.publish.metrics import Metrics, Outcome
from jitaccess.publish.notify.channels import Address
from jitaccess.publish.notify.notice import Notice

log = logging.getLogger(__name__)


class Reports:
    """Counts, logs, and posts Events."""

    def __init__(self, announcer: Announcer, metrics: Metrics) -> None:
        self._announcer = announcer
        self._metrics = metrics

    def count(self, address: Address, outcome: Outcome) -> None:
        """One attempt, or what was given up without one."""
        self._metrics.notified(address.channel, outcome)

    def failed(self, notices: Iterable[Notice], why: str) -> None:
        """Nobody may have got these, and they are not tried again."""
        for notice in notices:
            self.count(notice.address, Outcome.FAILED)
            words = f"the channel {notice.address.channel} was perhaps not told of {notice.occasion}: {why}"
            log.warning("%s", words, extra={"request": str(notice.request.key), "channel": notice.address.channel})
            news = News(notice.resource, notice.request.key, notice.request.uid, "NotificationFailed", words, warning=True)
            self._announcer.tell(news)
