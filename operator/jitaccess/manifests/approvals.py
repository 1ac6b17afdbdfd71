"""Stages and approvals in a status, both ways."""

from datetime import timedelta
from typing import Any, Protocol, TypedDict

from jitaccess.domain.awaiting import deciders
from jitaccess.domain.counting import stages_of
from jitaccess.domain.model import AccessPolicy, Manifest
from jitaccess.domain.recorded import StageProgress
from jitaccess.domain.text import format_duration, parse_duration


class Termed(Protocol):
    """Whatever has a stage and a length, as an approval does."""

    @property
    def stage(self) -> str:
        """In which stage; empty where the policy has none."""

    @property
    def length(self) -> timedelta | None:
        """For how long at most; None for as long as was asked for."""


class Terms(TypedDict):
    """In which stage somebody approved, and for how long at most."""

    stage: str
    length: timedelta | None


def stage_status(stage: StageProgress) -> dict[str, Any]:
    """How far a stage is."""
    return {"name": stage.name, "required": stage.required, "approvals": stage.approvals, "approvers": stage.approvers}


def parse_stages(status: Manifest) -> tuple[StageProgress, ...]:
    """How far each stage is, of a status."""
    return tuple(
        StageProgress(each["name"], each["required"], each.get("approvals", 0), each.get("approvers", ""))
        for each in status.get("stages") or ()
    )


def terms_of(approval: Termed) -> dict[str, str]:
    """The stage and the duration of an approval, where it has any."""
    stage = {"stage": approval.stage} if approval.stage else {}
    return stage | ({"duration": format_duration(approval.length)} if approval.length else {})


def parse_terms_of(approval: Manifest) -> Terms:
    """The same, read."""
    length = parse_duration(approval["duration"]) if approval.get("duration") else None
    return {"stage": approval.get("stage", ""), "length": length}


def deciders_in_words(policy: AccessPolicy) -> str:
    """Who decides under a policy, for a column: `Group leads (stage lead) and Group security (stage security)`."""
    return " and ".join(map(deciders, stages_of(policy))) if policy.stages or policy.approvers else "nobody needed"
