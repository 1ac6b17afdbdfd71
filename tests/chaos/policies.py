"""Since when a policy no longer allowed what a grant gives, worked out anew from the policy's documentation."""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from chaos.history import History, PolicyVersion, Request

NOTICED = 1.0  # seconds that a change must last: nobody sees what was taken back at once
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def forbidden_since(history: History, request: Request, created: float, ended: float) -> Iterator[tuple[str, float]]:
    """Why, and since when, the policy forbade a grant that was there from `created` to `ended`."""
    versions = _versions(history, request)
    inherited = _uid_at(versions, created)
    closed = [*versions, PolicyVersion(float("inf"), "", None)]
    for version, following in pairwise(closed):
        since, until = max(version.at, created), min(following.at, ended)
        why = objection(request, version, inherited, since)
        if why and until - since > NOTICED:
            yield why, since


def objection(request: Request, version: PolicyVersion, uid: str, at: float) -> str:
    """What in that version speaks against the grant; empty if nothing does."""
    spec = version.spec
    if spec is None:
        return "policy deleted"
    if uid and version.uid != uid:
        return "policy deleted and made again"
    if request.spec.get("roleRef") not in (spec.get("roles") or []):
        return "role no longer offered"
    if duration(request.spec.get("duration", "0s")) > duration(spec.get("maxDuration", "1h")):
        return "longer than the policy allows"
    given = [who for who, when in request.approvals.items() if when <= at]
    if len(given) < _needed(spec):
        return "more approvals needed"
    return ""


def _needed(spec: Mapping[str, Any]) -> int:
    return int(spec.get("requiredApprovals", 1))


def _uid_at(versions: list[PolicyVersion], moment: float) -> str:
    before = [version for version in versions if version.at <= moment and version.spec is not None]
    return before[-1].uid if before else ""


def duration(text: str) -> float:
    """A duration of the schedules in seconds: one number and one unit."""
    unit = next(unit for unit in _UNITS if text.endswith(unit) and text.removesuffix(unit).replace(".", "").isdecimal())
    return float(text.removesuffix(unit)) * _UNITS[unit]


def approvals_under_another(history: History, request: Request, created: float) -> str:
    """What is wrong if the approvals of a grant were given under a policy that has been deleted since; empty if nothing is."""
    versions = [version for version in _versions(history, request) if version.at <= created - NOTICED]
    if not versions or versions[-1].spec is None:
        return ""  # deleted: that it ends is another rule's matter
    needed = _needed(versions[-1].spec)
    born = min(version.at for version in versions if version.uid == versions[-1].uid)
    fresh = [who for who, when in request.approvals.items() if when >= born]
    return f"{len(fresh)} approvals under this policy, which needs {needed}" if len(fresh) < needed else ""


def _versions(history: History, request: Request) -> list[PolicyVersion]:
    name = (request.spec.get("policyRef") or {}).get("name", "")
    return history.policies.get((request.namespace, name), [])
