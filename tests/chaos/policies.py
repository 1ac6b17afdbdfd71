"""Since when a policy no longer allowed what a grant gives, worked out anew from the policy's documentation."""

from collections.abc import Iterator
from itertools import pairwise

from chaos.approvals import needed, suffice
from chaos.history import History, PolicyVersion, Request

NOTICED = 1.0  # seconds that a change must last: nobody sees what was taken back at once
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def forbidden_since(history: History, request: Request, created: float, ended: float) -> Iterator[tuple[str, float, float]]:
    """Why, and from when until when, the policy forbade a grant that was there from `created` to `ended`."""
    versions = versions_for(history, request)
    inherited = _uid_at(versions, created)
    closed = [*versions, PolicyVersion(float("inf"), "", None)]
    for version, following in pairwise(closed):
        since = max(version.at, created)
        why = objection(request, version, inherited, since)
        if why and min(following.at, ended) - since > NOTICED:
            yield why, since, following.at


def objection(request: Request, version: PolicyVersion, uid: str, at: float) -> str:
    """What in that version speaks against the grant; empty if nothing does."""
    spec = version.spec
    if spec is None:
        return "policy deleted"
    against = {
        "policy deleted and made again": bool(uid) and version.uid != uid,
        "policy suspended": bool(spec.get("suspend")),
        "role no longer offered": request.spec.get("roleRef") not in (spec.get("roles") or []),
        "longer than the policy allows": duration(request.spec.get("duration", "0s")) > duration(spec.get("maxDuration", "1h")),
        "more approvals needed": not suffice(spec, [each for each in request.approvals.values() if each.at <= at]),
    }
    return next((why for why, holds in against.items() if holds), "")


def _uid_at(versions: list[PolicyVersion], moment: float) -> str:
    before = [version for version in versions if version.at <= moment and version.spec is not None]
    return before[-1].uid if before else ""


def duration(text: str) -> float:
    """A duration of the schedules in seconds: one number and one unit."""
    unit = next(unit for unit in _UNITS if text.endswith(unit) and text.removesuffix(unit).replace(".", "").isdecimal())
    return float(text.removesuffix(unit)) * _UNITS[unit]


def approvals_under_another(history: History, request: Request, created: float) -> str:
    """What is wrong if the approvals of a grant were given under a policy that has been deleted since; empty if nothing is."""
    versions = [version for version in versions_for(history, request) if version.at <= created - NOTICED]
    if not versions or versions[-1].spec is None:
        return ""  # deleted: that it ends is another rule's matter
    spec = versions[-1].spec
    born = min(version.at for version in versions if version.uid == versions[-1].uid)
    fresh = [approval for approval in request.approvals.values() if approval.at >= born]
    return "" if suffice(spec, fresh) else f"{len(fresh)} approvals under this policy, which needs {needed(spec)}"


def in_force(history: History, request: Request, since: float, until: float) -> list[PolicyVersion]:
    """The policy of a request as it was at any time between the two."""
    versions = [version for version in versions_for(history, request) if version.at <= until]
    earlier = [version for version in versions if version.at <= since]
    return [*earlier[-1:], *versions[len(earlier) :]]


def versions_for(history: History, request: Request) -> list[PolicyVersion]:
    """The policy that a request names, from each moment on, earliest first."""
    name = (request.spec.get("policyRef") or {}).get("name", "")
    return history.policies.get((request.namespace, name), [])
