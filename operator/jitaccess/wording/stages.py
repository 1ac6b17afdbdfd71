"""Stages and shorter approvals in words. Pure."""

from datetime import timedelta

from jitaccess.domain.approved import bracket, how_many
from jitaccess.domain.counting import counting_approvals
from jitaccess.domain.lifecycle import length_of
from jitaccess.domain.model import AccessRequest
from jitaccess.domain.recorded import Entry
from jitaccess.domain.text import format_duration


def given(request: AccessRequest) -> int:
    """How many of the approvals that are asked for are there, by the ledgers; in a stage no more count than it asks for."""
    return how_many(request.recorded.stages, counting_approvals(request))


def stage_lines(request: AccessRequest) -> list[str]:
    """How far each stage is: `lead: 1 of 1, by bob`, `security: 0 of 1, from Group security`."""
    counting = counting_approvals(request)
    lines = []
    for stage in request.recorded.stages:
        names = [approval.by for approval in counting if approval.stage == stage.name]
        by, left = f", by {', '.join(names)}" if names else "", f", from {stage.approvers}" if stage.approvers else ""
        lines.append(f"{stage.name}: {len(names)} of {stage.required}{by}{left if len(names) < stage.required else ''}")
    return lines


def lasts(request: AccessRequest) -> timedelta:
    """How long the access lasts, or would by the approvals there are."""
    since, until = request.recorded.granted_at, request.recorded.expires_at
    return until - since if since and until else length_of(request, counting_approvals(request))


def length_in_words(request: AccessRequest) -> str:
    """How long the access lasts, and what was asked for where that was more: `30m of 1h`."""
    length, asked = format_duration(lasts(request)), format_duration(request.duration)
    return f"{length} of {asked}" if lasts(request) < request.duration else asked


def approval_in_words(entry: Entry, request: AccessRequest) -> str:
    """What there is to say of an approval beside whose it is: `stage lead, for 30m of 1h: go ahead`."""
    limit = f"for {format_duration(entry.length)} of {format_duration(request.duration)}" if entry.length else ""
    special = ", ".join(part for part in (f"stage {entry.stage}" if entry.stage else "", limit) if part)
    note = entry.message.removeprefix(bracket(entry.length)).strip() if entry.length else entry.message
    return ": ".join(part for part in (special, note) if part)
