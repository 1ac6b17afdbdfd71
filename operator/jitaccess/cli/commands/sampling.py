"""An auditor's sample: which requests are wanted, of files or of the cluster, and what of the cluster is not in the files."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from jitaccess.cli.api.errors import Unreadable
from jitaccess.cli.api.reading import read_requests
from jitaccess.cli.api.session import Session
from jitaccess.domain.model import AccessRequest, RoleRef
from jitaccess.manifests.cloudevent import Event, event_hash, request_events, source_of
from jitaccess.manifests.evidence import Report, Story
from jitaccess.manifests.kinds import request_kind
from jitaccess.wording.accounts import Account, account_of

LeftOut = Callable[[Sequence[Unreadable]], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """Which requests are wanted; empty means any."""

    start: datetime
    stop: datetime
    namespace: str
    user: str
    decider: str
    role: Callable[[RoleRef], bool]
    everything: bool  # also what was not granted

    def of_files(self, report: Report) -> list[Account]:
        """Those in the files, oldest first."""
        return self._fitting(story.latest for story in report.stories.values())

    def of_cluster(self, session: Session, everywhere: bool, left_out: LeftOut) -> list[Account]:
        """Those that are in the cluster, oldest first."""
        return self._fitting(story.events("")[-1] for story in cluster_stories(session, everywhere, left_out))

    def _fitting(self, events: Iterable[Event]) -> list[Account]:
        accounts = [account for account in map(account_of, events) if self._fits(account)]
        return sorted(accounts, key=lambda account: (account.granted or account.at, account.uid))

    def _fits(self, account: Account) -> bool:
        return (
            account.overlaps(self.start, self.stop)
            and (self.everything or account.granted is not None)
            and self.namespace in ("", account.namespace)
            and self.user in ("", account.requester)
            and (not self.decider or self.decider in account.decided)
            and self.role(account.role)
        )


@dataclass(frozen=True, slots=True)
class ClusterStory:
    """A request as it is in the cluster now."""

    request: AccessRequest

    @property
    def subject(self) -> str:
        """As its events name it."""
        return f"{request_kind(self.request.key.namespace).resource.plural}/{self.request.key}"

    def events(self, cluster: str) -> tuple[Event, ...]:
        """What is, or will be, exported of it."""
        return request_events(request_kind(self.request.key.namespace).resource, self.request, cluster)


def cluster_stories(session: Session, everywhere: bool, left_out: LeftOut) -> Iterator[ClusterStory]:
    """The requests of the cluster that are on record, page by page."""
    pages = (client.requests_in_pages(namespace) for client, namespace in session.scopes(everywhere))
    for page in chain.from_iterable(pages):
        found, unreadable = read_requests(page)
        left_out(unreadable)
        yield from (ClusterStory(request) for request, _ in found if request.recorded.history)


def missing_of(story: ClusterStory, report: Report) -> str:
    """What of a request's record is not in the files as it is in the cluster; empty if all of it is."""
    known = report.stories.get(story.request.uid)
    if known is None:
        return "nothing of it is in the files"
    events = story.events(_cluster_of(known))
    absent = [index for index in range(len(events)) if index not in known.links]
    if absent:
        return f"of {len(events)} events these are not in the files: {', '.join(map(str, absent))}"
    other = [index for index, event in enumerate(events) if known.links[index].hash != event_hash(event)]
    return f"in the files these events are others than in the cluster: {', '.join(map(str, other))}" if other else ""


def _cluster_of(story: Story) -> str:
    return str(story.latest["source"]).removeprefix(source_of(""))
