"""Emergency access and its review in words. Pure."""

from datetime import datetime

from jitaccess.domain.model import AccessPolicy, AccessRequest, Emergency
from jitaccess.domain.recorded import Finding, Review
from jitaccess.domain.rules import in_words
from jitaccess.domain.text import format_duration
from jitaccess.wording.times import clock, relative


def review_policy(emergency: Emergency) -> str:
    """What a policy says instead of who approves."""
    within, reviewers = format_duration(emergency.review_within), in_words(emergency.reviewers, "or")
    return f"no approval needed; an emergency, to be reviewed within {within} of its end by {reviewers}"


def review_terms(policy: AccessPolicy) -> dict[str, object] | None:
    """The same for programs; None for a policy that is not for emergencies."""
    emergency = policy.emergency
    if emergency is None:
        return None
    return {
        "reviewWithin": format_duration(emergency.review_within),
        "reviewers": [str(reviewer) for reviewer in emergency.reviewers],
        "blockUntilReviewed": emergency.block_until_reviewed,
    }


def owes_review(request: AccessRequest) -> bool:
    """Whether it is emergency access that is over and that nobody has reviewed."""
    review = request.recorded.review
    return review is not None and review.awaited and request.state.settled


def review_standing(request: AccessRequest, now: datetime) -> str:
    """What there is to add in a column to when access ends or ended; empty unless it is an emergency."""
    review = request.recorded.review
    if review is None:
        return ""
    if not request.state.settled:
        return ", emergency"
    if review.found:
        return f", {_FOUND[review.finding]}"
    return ", review overdue" if review.due and review.due <= now else ", review owed"


def review_in_words(request: AccessRequest, now: datetime) -> str:
    """Where the review of emergency access stands, in a sentence; empty for other access."""
    review = request.recorded.review
    if review is None:
        return ""
    if review.found:
        return "; ".join(
            f"{_FOUND[each.finding]} by {each.by} {relative(each.at, now)}{f': {each.note}' if each.note else ''}"
            for each in review.found
        )
    return _awaited(review, now)


def _awaited(review: Review, now: datetime) -> str:
    by = f"by {review.reviewers}" if review.reviewers else "but no policy names anybody else who may: a cluster administrator may"
    if review.due is None:
        return f"to be reviewed within {format_duration(review.within)} of its end, {by}"
    if review.due <= now:
        return f"overdue since {clock(review.due, now)} ({relative(review.due, now)}): to be reviewed {by}"
    return f"owed until {clock(review.due, now)} ({relative(review.due, now)}): to be reviewed {by}"


_FOUND = {Finding.FINE: "found fine", Finding.MISUSE: "found to be misuse"}
