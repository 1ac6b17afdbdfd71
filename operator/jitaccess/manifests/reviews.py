"""What a status says of the review that emergency access is owed, both ways; decided in domain/reviews.py."""

from typing import Any

from jitaccess.domain.model import AccessRequest, Ledger, Manifest
from jitaccess.domain.recorded import Finding, Review, Reviewed
from jitaccess.domain.text import format_duration, format_time, hour_of, parse_duration, parse_time

AWAITING_REVIEW = "status.awaitingReview=true"  # as a field selector: emergency access, from its grant until it is reviewed
OWED_REVIEWS = f"status.settled=true,{AWAITING_REVIEW}"  # that is over
SETTLED_FOR_GOOD = "status.settled=true,status.awaitingReview!=true"  # nothing of it is to come any more


def review_status(review: Review) -> dict[str, Any]:
    """The fields of a status that are there for emergency access alone."""
    status = {
        "emergency": True,
        "awaitingReview": review.awaited,
        "reviewWithin": format_duration(review.within),
        "reviewers": review.reviewers or None,
        "reviewDue": format_time(review.due) if review.due else None,
        "reviewedIn": hour_of(review.found[0].at) if review.found else None,
        "reviews": [_reviewed(each) for each in review.found] or None,
    }
    return {field: value for field, value in status.items() if value is not None}


def _reviewed(each: Reviewed) -> dict[str, str]:
    return {"by": each.by, "verdict": each.finding.value, "note": each.note, "at": format_time(each.at)}


def parse_review(status: Manifest) -> Review | None:
    """The review of emergency access; None if it is none."""
    if status.get("emergency") is not True:
        return None
    return Review(
        within=parse_duration(status["reviewWithin"]),
        reviewers=status.get("reviewers", ""),
        due=parse_time(status["reviewDue"]) if status.get("reviewDue") else None,
        awaited=status.get("awaitingReview") is True,
        found=tuple(
            Reviewed(each["by"], Finding(each["verdict"]), each.get("note", ""), parse_time(each["at"]))
            for each in status.get("reviews") or ()
        ),
    )


def no_other_review(request: AccessRequest) -> Manifest:
    """The `test` of a JSON Patch that nobody has written a review since the request was read."""
    lines = (f"{line.by}: {line.note}" if line.by else line.note for line in request.reviews)
    return {"op": "test", "path": f"/metadata/annotations/{Ledger.REVIEWS.replace('/', '~1')}", "value": "\n".join(lines)}
