"""Reading a stream of exported events back: what was removed, changed, reordered or invented since, and where. Pure.

What proves it: each event names the hash of the one before it, each checkpoint those of all that were sent since the checkpoint
before, and that checkpoint's. Who can rewrite a whole stream can make all of that anew (docs/trust.md).
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from jitaccess.manifests.checkpoint import CHECKPOINT_TYPE, checkpoint_id
from jitaccess.manifests.cloudevent import REQUEST_TYPE, event_hash, event_id
from jitaccess.manifests.evidence import Fault, Link, Place, Report, Story

_SHORTEST_TORN = 2  # characters: what any line begins with is no part of one


def read_stream(lines: Iterable[tuple[Place, str]]) -> Report:
    """Read the lines of one or more files, in their order."""
    reader = _Reader()
    for place, text in lines:
        if text.strip():
            reader.read(place, text.rstrip("\n"))
    return reader.finish()


@dataclass(frozen=True, slots=True)
class _Seal:
    """A checkpoint as it was met."""

    place: Place
    hash: str
    number: int


class _Reader:
    def __init__(self) -> None:
        self._report = Report()
        self._torn: dict[Place, str] = {}
        self._sealed: dict[str, _Seal] = {}  # checkpoints by id
        self._streams: dict[str, list[_Seal]] = {}
        self._unsealed: dict[str, dict[int, Place]] = {}  # by request: what no checkpoint has named yet
        self._passed: dict[str, dict[int, Place]] = {}  # the same, of what a checkpoint has passed over
        self._absent: list[tuple[Place, str, int]] = []  # a checkpoint names it, and it was not there

    def read(self, place: Place, text: str) -> None:
        """Take in one line."""
        self._heal(text)
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            self._torn[place] = text
            return
        kind = event.get("type") if isinstance(event, dict) else None
        try:
            if kind == CHECKPOINT_TYPE:
                self._seal(place, event)
            elif isinstance(kind, str) and kind.startswith(REQUEST_TYPE):
                self._tell(place, event)
            else:
                self._report.foreign += 1
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            words = f"no event of ours looks like that ({type(error).__name__}: {error})"
            self._report.find(place, Fault.INVENTED, words)

    def _heal(self, text: str) -> None:
        """A line that a crash has torn is no harm once the whole of it follows."""
        for place, torn in list(self._torn.items()):
            if len(torn) >= _SHORTEST_TORN and text.startswith(torn):
                del self._torn[place]
                self._report.torn += 1

    def finish(self) -> Report:
        """What there is to say once all is read."""
        report = self._report
        partial = any(seals[0].number > 1 for seals in self._streams.values())
        for story in report.stories.values():
            self._check_chain(story, partial=partial)
        for place, uid, index in self._absent:
            self._check_absent(place, uid, index)
        for places in self._passed.values():
            for place in places.values():
                words = "no checkpoint after it names it: invented, or its request was deleted while the operator was down"
                report.find(place, Fault.INVENTED, words)
        for place in self._torn:
            report.find(place, Fault.UNREADABLE, "this is no event, and none that follows completes it")
        report.unvouched = sum(map(len, self._unsealed.values()))
        report.findings.sort(key=lambda finding: finding.place.line)
        return report

    # --- events of requests

    def _tell(self, place: Place, event: dict[str, Any]) -> None:
        data, subject = event["data"], str(event["subject"])
        uid, index = str(data["request"]["uid"]), int(data["index"])
        if event["id"] != event_id(uid, index):
            return self._report.find(place, Fault.CHANGED, f"its id is not that of event {index} of request {uid}")
        link = Link(place, event_hash(event), data["prevHash"])
        story = self._report.stories.setdefault(uid, Story(event))
        if known := story.links.get(index):
            if known.hash == link.hash:
                self._report.duplicates += 1
            else:
                self._report.find(place, Fault.CHANGED, f"it has the id of {known.place}, and is another event")
            return
        last = max(story.links, default=-1)
        if index < last:
            words = f"event {index} of {subject} stands behind a later one ({story.links[last].place})"
            self._report.find(place, Fault.REORDERED, words)
        else:
            story.latest = event
        self._report.events += 1
        story.links[index] = link
        self._unsealed.setdefault(uid, {})[index] = place

    def _check_chain(self, story: Story, *, partial: bool) -> None:
        links = sorted(story.links.items())
        before, previous = -1, None
        if links[0][0] > 0 and partial:
            self._report.begun_before += 1
            before, previous = links[0][0] - 1, links[0][1].previous
        last: Link | None = None
        for index, link in links:
            if index > before + 1:
                what = f"event {before + 1}" if index == before + 2 else f"events {before + 1} to {index - 1}"
                self._report.find(link.place, Fault.REMOVED, f"{what} of {story.name} should stand before this one")
            elif link.previous != previous:
                follows = f"the one before it ({last.place})" if last else "nothing, as the first of a request should"
                words = f"event {index} of {story.name} does not follow on {follows}: one of them was changed"
                self._report.find(link.place, Fault.CHANGED, words)
            before, previous, last = index, link.hash, link

    # --- checkpoints

    def _seal(self, place: Place, event: dict[str, Any]) -> None:
        data, report = event["data"], self._report
        stream, seal = str(data["stream"]), _Seal(place, event_hash(event), int(data["number"]))
        if event["id"] != checkpoint_id(stream, seal.number):
            return report.find(place, Fault.CHANGED, f"its id is not that of checkpoint {seal.number}")
        known = self._sealed.setdefault(event["id"], seal)
        if known is not seal:
            if known.hash == seal.hash:
                report.duplicates += 1
            else:
                report.find(place, Fault.CHANGED, f"it has the id of {known.place}, and is another checkpoint")
            return
        seals = self._streams.setdefault(stream, [])
        self._check_seal(seals[-1] if seals else None, seal, data["prevHash"])
        seals.append(seal)
        report.first_checkpoint = report.first_checkpoint or seal.number
        report.checkpoints[seal.hash], report.last_checkpoint = place, event
        for head in data["heads"]:
            self._check_head(place, str(head["uid"]), int(head["index"]), str(head["hash"]))
        if data["complete"]:
            for uid, places in self._unsealed.items():
                self._passed.setdefault(uid, {}).update(places)
            self._unsealed.clear()

    def _check_seal(self, before: _Seal | None, seal: _Seal, named: str | None) -> None:
        find, place = self._report.find, seal.place
        if before is None:
            if seal.number == 1 and named is not None:
                find(place, Fault.CHANGED, "the first checkpoint names one before it")
        elif seal.number <= before.number:
            words = f"checkpoint {seal.number} stands behind checkpoint {before.number} ({before.place})"
            find(place, Fault.REORDERED, words)
        elif seal.number > before.number + 1:
            words = f"between checkpoint {before.number} ({before.place}) and checkpoint {seal.number} there should be others"
            find(place, Fault.REMOVED, words)
        elif named != before.hash:
            words = f"checkpoint {seal.number} does not follow on the one before it ({before.place}): one of them was changed"
            find(place, Fault.CHANGED, words)

    def _check_head(self, place: Place, uid: str, index: int, digest: str) -> None:
        story = self._report.stories.get(uid)
        found = story.links.get(index) if story else None
        if found is None:
            self._absent.append((place, uid, index))
        elif found.hash != digest:
            self._report.find(found.place, Fault.CHANGED, f"the checkpoint behind it ({place}) has it with another hash")
        for number, late in self._pop(self._passed, uid, index):
            words = f"event {number} of the request stands before a checkpoint that does not name it, and {place} does"
            self._report.find(late, Fault.REORDERED, words)
        self._pop(self._unsealed, uid, index)

    @staticmethod
    def _pop(waiting: dict[str, dict[int, Place]], uid: str, upto: int) -> list[tuple[int, Place]]:
        """Take out the events of a request up to that one."""
        places = waiting.pop(uid, {})
        if left := {number: place for number, place in places.items() if number > upto}:
            waiting[uid] = left
        return [(number, place) for number, place in places.items() if number <= upto]

    def _check_absent(self, place: Place, uid: str, index: int) -> None:
        story = self._report.stories.get(uid)
        late = story.links.get(index) if story else None
        if late:
            words = f"the checkpoint before it ({place}) says that it was sent by then"
            return self._report.find(late.place, Fault.REORDERED, words)
        if any(seals[0].place == place and seals[0].number > 1 for seals in self._streams.values()):
            self._report.begun_before += 1  # it was sent before the first line that we have
            return
        self._report.find(place, Fault.REMOVED, f"event {index} of request {uid} should stand before this checkpoint")
