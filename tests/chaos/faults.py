"""Which of the operator's writes meets which fault."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KILL_BEFORE = "killed before it was sent"
KILL_AFTER = "killed before the answer came"
CUT = "connection cut before it was sent"
SWALLOW = "done, but the answer was lost"
DELAY = "delivered late"
LATE_ANSWER = "done, but answered late"
TWICE = "delivered again seconds later"
HANG = "held back, and never answered"
HANG_DONE = "done, and never answered"
REFUSALS = {
    "refused with 403": (403, "Forbidden"),
    "refused with 409": (409, "Conflict"),
    "refused with 429": (429, "TooManyRequests"),
    "refused with 500": (500, "InternalError"),
    "refused with 503": (503, "ServiceUnavailable"),
}
DEADLY = (KILL_BEFORE, KILL_AFTER)
HARMLESS = (CUT, SWALLOW, DELAY, LATE_ANSWER, TWICE, HANG, HANG_DONE, *REFUSALS)  # to the process
ALL = (*DEADLY, *HARMLESS)

LATE_SECONDS = 1.5
AGAIN_SECONDS = 3.0
HANG_SECONDS = 10.0  # after which the operator must have given a call up; nobody here ends it sooner
# For how long after its beginning a fault goes on; the others are over at once.
LASTS = {DELAY: LATE_SECONDS, LATE_ANSWER: LATE_SECONDS, TWICE: AGAIN_SECONDS, HANG: HANG_SECONDS, HANG_DONE: HANG_SECONDS}
# What the audit log's userAgent says of a request that the network repeated, or kept for a while.
AGAIN, LATE = "(delivered again)", "(delivered late)"
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_UNCOUNTED = ("leases", "events", "selfsubjectreviews", "subjectaccessreviews")


@dataclass(frozen=True, slots=True)
class Write:
    """One write of the operator."""

    verb: str
    namespace: str
    resource: str
    name: str
    request: str  # whose grant or record it is about; empty for policies

    @property
    def counts(self) -> bool:
        """Whether it is one of the writes of a life."""
        return self.verb in _WRITES and bool(self.namespace) and self.resource not in _UNCOUNTED


def write_of(verb: str, path: str, query: str, body: bytes) -> Write | None:
    """What the operator wants to change with this call; None if nothing."""
    parts = path.strip("/").split("/")
    if verb not in _WRITES or "namespaces" not in parts or "dryRun" in query:
        return None
    at = parts.index("namespaces")
    namespace, resource, name, *_ = [*parts[at + 1 :], "", "", ""]
    manifest = _json(body) if verb == "POST" else {}
    name = name or str(manifest.get("metadata", {}).get("name", ""))
    return Write(verb, namespace, resource, name, _request(resource, name))


def _request(resource: str, name: str) -> str:
    if resource == "accessrequests":
        return name
    return name.removeprefix("jit-").rsplit("-", 1)[0] if name.startswith("jit-") else ""


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@dataclass
class Rule:
    """The n-th write that it is about (from 1) meets the fault `fault(n)`; no fault if that is empty."""

    about: Callable[[Write], bool]
    fault: Callable[[int], str]
    seen: int = 0


@dataclass
class Rules:
    """All rules in force; the first that has a fault for a write counts, each counts for itself."""

    rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def nth_of(self, namespace: str, request: str, n: int, fault: str) -> Rule:
        """The n-th write about that request meets a fault."""
        return self.add(
            lambda write: (write.namespace, write.request) == (namespace, request), lambda seen: fault if seen == n else ""
        )

    def add(self, about: Callable[[Write], bool], fault: Callable[[int], str]) -> Rule:
        """Put a rule in force."""
        rule = Rule(about, fault)
        with self._lock:
            self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self.rules.clear()

    def remove(self, rule: Rule) -> None:
        """Take a rule back."""
        with self._lock:
            self.rules.remove(rule)

    def fault_of(self, write: Write) -> str:
        """What becomes of this write; empty if nothing does."""
        if not write.counts:
            return ""
        with self._lock:
            return next(iter([fault for rule in self.rules if (fault := self._count(rule, write))]), "")

    @staticmethod
    def _count(rule: Rule, write: Write) -> str:
        if not rule.about(write):
            return ""
        rule.seen += 1
        return rule.fault(rule.seen)
