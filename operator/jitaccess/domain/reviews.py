"""The review that emergency access is owed: by whom, until when, and what people found. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from jitaccess.domain.circumstances import Unreviewed
from jitaccess.domain.model import AccessPolicy, AccessRequest, Decision
from jitaccess.domain.recorded import Condition, Entry, Finding, Recorded, Review, Reviewed
from jitaccess.domain.rules import in_words
from jitaccess.domain.text import format_duration, format_time, lower_ascii

MOST_REVIEWS = 4  # the first that is recorded settles the debt, so only what is written at one moment can be several
REVIEWED = "Reviewed"  # the condition
LONGEST_LIST = 1024  # characters of who may review; a policy may name 64 with long names
REVIEW_REASONS = {Finding.FINE: "ReviewedAsFine", Finding.MISUSE: "ReviewedAsMisuse"}


@dataclass(frozen=True, slots=True)
class Given:
    """One person's line in the ledger of reviews."""

    by: str
    finding: Finding
    note: str


def given_reviews(request: AccessRequest) -> tuple[Given, ...]:
    """What reviewers wrote, in ledger order: once a person, never the requester; what is no finding counts as nothing."""
    first: dict[str, Given] = {}
    for line in request.reviews:
        person, given = lower_ascii(line.by), _given(line)
        if given and person and person != lower_ascii(request.requester):
            first.setdefault(person, given)
    return tuple(first.values())[:MOST_REVIEWS]


def _given(line: Decision) -> Given | None:
    word, _, note = line.note.partition(": ")
    return Given(line.by, Finding(word), note) if word in list(Finding) else None


def with_review(request: AccessRequest, new: Recorded, policy: AccessPolicy | None, now: datetime) -> Recorded:
    """The next record, marked as an emergency if such a grant begins with it, and with the review owed if one ends."""
    old = request.recorded
    if new.granted_at and not old.granted_at and policy and policy.emergency:
        within, reviewers = policy.emergency.review_within, reviewers_under(policy, request.requester)
        by = reviewers or "a cluster administrator"
        message = f"access without approval: to be reviewed within {format_duration(within)} of its end by {by}"
        return _with_entry(replace(new, review=Review(within, reviewers)), Entry(now, new.state, "Emergency", message))
    if old.review and new.settled_at and not old.settled_at:
        review = replace(old.review, due=new.settled_at + old.review.within)
        owed = condition_of_review(new, review, now)
        entry = Entry(now, new.state, owed.reason, owed.message)
        return _with_entry(replace(new, review=review, conditions=(*new.conditions, owed)), entry)
    return new


def condition_of_review(recorded: Recorded, review: Review, now: datetime) -> Condition:
    """What the condition Reviewed says while the review is owed, or once it is there."""
    if review.found:
        status, reason = "True", review.finding.capitalize()
        message = "; ".join(f"{each.by}: {each.note}" if each.note else each.by for each in review.found)
    else:
        late = review.due is not None and now >= review.due
        status, reason = "False", "ReviewOverdue" if late else "ReviewOwed"
        due = f"{'was' if late else 'is'} due {format_time(review.due)}" if review.due else "is owed"
        message = f"the review of this emergency access {due}; {who_may(review)}"
    before = recorded.condition(REVIEWED)
    since = before.since if before and before.status == status and before.since else now
    return Condition(REVIEWED, status, reason, message, since, recorded.generation)


def who_may(review: Review) -> str:
    """Who may give the review, in words."""
    if not review.reviewers:
        return "no policy names anybody else who may review it: a cluster administrator may, or put one back that does"
    return f"to be given by {review.reviewers}"


def reviewers_under(policy: AccessPolicy | None, requester: str) -> str:
    """Who may review what somebody had, by a policy as it is now, in words; empty for nobody."""
    if policy is None or policy.deleting or policy.emergency is None:
        return ""
    others = policy.emergency.reviewers_of(requester)
    return in_words(others, "or")[:LONGEST_LIST] if others else ""


def under_review_alone(policy: AccessPolicy) -> AccessPolicy | None:
    """What is left of a policy that is not in force: nobody asks or decides under it, and its reviewers look at what was given.

    None where it names no reviewers.
    """
    return replace(policy, requesters=(), approvers=(), stages=()) if policy.emergency and not policy.invalid else None


def next_review(request: AccessRequest, policy: AccessPolicy | None, now: datetime) -> Recorded:
    """The record of settled emergency access after a look at its review; the recorded one when nothing is new."""
    old = request.recorded
    if old.review is None or not old.review.awaited or not old.state.settled:
        return old
    given = given_reviews(request)
    found = tuple(Reviewed(each.by, each.finding, each.note, now) for each in given)
    review = replace(old.review, reviewers=reviewers_under(policy, request.requester), found=found, awaited=not found)
    condition, before = condition_of_review(old, review, now), old.condition(REVIEWED)
    new = replace(old, review=review, conditions=(*(c for c in old.conditions if c.type != REVIEWED), condition))
    for each in given:
        new = _with_entry(new, Entry(now, old.state, REVIEW_REASONS[each.finding], each.note, each.by))
    if condition.reason == "ReviewOverdue" and (before is None or before.reason != condition.reason):
        new = _with_entry(new, Entry(now, old.state, condition.reason, condition.message))
    return new if new == old else replace(new, revision=old.revision + 1)


def _with_entry(recorded: Recorded, entry: Entry) -> Recorded:
    return replace(recorded, history=(*recorded.history, entry))


def unreviewed_of(request: AccessRequest, others: Iterable[AccessRequest]) -> tuple[Unreviewed, ...]:
    """What of all this keeps the requester, whose name may be in capitals elsewhere, from more access under the same policy."""
    person = lower_ascii(request.requester)
    return tuple(
        Unreviewed(other.key, other.requester, not other.state.settled)
        for other in others
        if other.uid != request.uid
        and other.policy == request.policy
        and lower_ascii(other.requester) == person
        and other.recorded.review
        and other.recorded.review.awaited
    )
