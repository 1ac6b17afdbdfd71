"""What the operator asks of the API server in one life, by the audit log."""

from collections import Counter
from collections.abc import Iterable
from functools import partial
from typing import Any

from bench.asking import approve, ask_all
from bench.calls import each, on_time
from bench.effort import Effort
from bench.figures import Goal, Row
from bench.stage import HOME, Stage
from bench.watching import Watcher, state_of_request
from jitaccess.manifests.resources import REQUESTS

OPERATOR = "system:serviceaccount:jitaccess-system:jitaccess"
READS = ("get", "rehearse")  # lists and watches are not of one life
_OF_A_LIFE = ("accessrequests", "accesspolicies", "roles", "clusterroles", "rolebindings", "jobs", "events")
RATE = 5.0


async def measure(stage: Stage, effort: Effort) -> list[Row]:
    """Lives that overlap, five begun each second."""
    names = [f"life-{number}" for number in range(effort.lives)]
    async with Watcher(stage.admin, REQUESTS.path(namespace=HOME), state_of_request) as requests:
        start = stage.system.plane.audit_position()
        asked = await ask_all(stage, names, requests, "1s")
        await on_time(each(RATE, [partial(approve, stage.bob, request) for request in asked]))
        await requests.all("Expired", names)
        await stage.stop()  # after which nothing more is asked
    found = count(stage.system.plane.audit_events(start))
    writes = {call: times for call, times in found.items() if call[0] not in READS}
    reads = {call: times for call, times in found.items() if call[0] in READS}
    rows = [
        Row("writes a life, Events among them", "calls", [sum(writes.values()) / len(names)], (), Goal(10, "figure")),
        Row("reads a life", "calls", [sum(reads.values()) / len(names)], (), Goal(5, "figure")),
    ]
    return rows + [Row(f"  {verb} {resource}", "calls", [n / len(names)]) for (verb, resource), n in sorted(found.items())]


def count(events: Iterable[dict[str, Any]]) -> Counter[tuple[str, str]]:
    """The calls of the operator about single objects, by verb and resource."""
    found: Counter[tuple[str, str]] = Counter()
    for event in events:
        about = event.get("objectRef") or {}
        if event["user"]["username"] != OPERATOR or event["verb"] in ("list", "watch"):
            continue
        if about.get("resource") in _OF_A_LIFE:
            verb = "rehearse" if "dryRun=" in event["requestURI"] else event["verb"]
            found[verb, "/".join(filter(None, (about["resource"], about.get("subresource"))))] += 1
    return found
