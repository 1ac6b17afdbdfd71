"""When access begins, in words: what a policy says of it, what a request waits for, and what it would wait for in vain. Pure."""

from datetime import datetime

from jitaccess.domain.model import AccessPolicy, AccessRequest
from jitaccess.domain.windows import in_words, is_open, next_opening, opens_in_words
from jitaccess.wording.times import clock, relative


def when_it_may_begin(policy: AccessPolicy) -> str:
    """The windows of a policy in one sentence; empty where access begins at any time."""
    if not policy.windows:
        return ""
    ends = ", and ends with it" if policy.end_with_window else ""
    return f"inside {' or '.join(in_words(window) for window in policy.windows)}{ends}"


def begins(request: AccessRequest, now: datetime) -> str:
    """When approved access is to begin: `begins 08:00:00 (in 3h)`; empty where that is not known, or nothing begins later."""
    starts, granted = request.recorded.starts_at, request.recorded.condition("Granted")
    if starts is None or granted is None:
        return ""
    told = f"begins {clock(starts, now)}" if granted.reason == "Scheduled" else f"approved, {granted.message}"
    return f"{told} ({relative(starts, now)})"


def foreseen(request: AccessRequest, policy: AccessPolicy, now: datetime) -> tuple[str, bool]:
    """What a request that is about to be made would wait for once it is approved, and whether in vain; empty for nothing."""
    start = max(request.start or now, now)
    if not policy.windows or is_open(policy.windows, start):
        return "", False
    opening, deadline = next_opening(policy.windows, start), start + policy.pending_timeout
    opens = opens_in_words(policy.windows, opening, start) if opening else "never opens"
    if opening is None or opening >= deadline:
        return f"it times out {clock(deadline, now)}, before its window: {opens}; ask nearer to that", True
    return f"outside of its window access waits: {opens} ({relative(opening, now)})", False
