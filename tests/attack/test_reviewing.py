"""Reviewing emergency access: one's own, in another's name, too early, too late, twice, or in words that are no finding."""

from collections.abc import Iterator

from attack import refusals
from attack.bearing import being, borne, user_name
from attack.stage import Theatre
from attack.table import (
    Attempt,
    How,
    Scene,
    about,
    cannot,
    creates_with,
    decides,
    merges,
    play,
    table,
    writes,
)
from attack.test_asking import CONTROLS
from attack.test_deciding import both, own_line, settled
from controlplane.client import Answer, Person
from team import REQUESTS, annotations, eventually


def over(scene: Scene, user: str = "alice", policy: str = "glass") -> str:
    """Emergency access that is over, and owed a review."""
    name = scene.ask(user, policyRef={"name": policy}, duration="200ms")
    scene.stage.until(name, "Expired")
    return name


def on_emergency(how: How, user: str = "alice") -> How:
    return about(lambda scene: over(scene, user), how)


def lasting(scene: Scene) -> str:
    """Emergency access that lasts."""
    name = scene.ask("alice", policyRef={"name": "glass"}, duration="1h")
    scene.stage.until(name, "Active")
    return name


def reviews(line: str = "fine: all as said") -> How:
    """Review as one does on this system."""
    return decides("review", line)


def unseen(first: str, then: How) -> How:
    """Do it right after bob's review, of which the operator knows nothing yet."""

    def how(scene: Scene, me: Person) -> Answer:
        with scene.stage.operator_frozen():
            Theatre.sure(scene.stage.person("bob").merge(REQUESTS, scene.name, annotations({REVIEWS: first})))
            return then(scene, me)

    return how


REVIEWS = "jitaccess.dev/reviews"
PLAIN = own_line("reviews", "fine")


def as_identity(scene: Scene, me: Person) -> Answer:
    """One's own emergency, as the temporary identity that one bears under another policy."""
    over(scene)
    who = user_name(scene.stage, borne(scene.stage))
    review = scene.stage.decision(who, "review", scene.name, "fine")
    return being(scene.stage, "alice", borne(scene.stage)).merge(REQUESTS, scene.name, review)


def people() -> Iterator[Attempt]:
    yield Attempt("the requester as their temporary identity", "alice", as_identity, refusals.IDENTITY_REVIEWS, reviews(), "bob")
    yield Attempt("the requester, who is no reviewer", "alice", on_emergency(PLAIN), refusals.OWN_ACCESS, reviews(), "bob")
    yield Attempt(
        "a reviewer reviews their own access", "dave", on_emergency(reviews(), "dave"), refusals.OWN_ACCESS, reviews(), "bob"
    )
    yield Attempt(
        "the requester under their name in capitals",
        "ALICE",
        on_emergency(PLAIN),
        refusals.OWN_ACCESS_IN_CAPITALS,
        reviews("misuse"),
        "bob",
    )
    yield Attempt(
        "a requester of the policy", "erin@example.com", on_emergency(reviews()), refusals.not_a_reviewer(), reviews(), "carol"
    )
    yield Attempt("with patch rights but no say", "trent", on_emergency(PLAIN), refusals.not_a_reviewer(), PLAIN, "pat")
    yield Attempt(
        "with every right on requests but no say", "wanda", on_emergency(PLAIN), refusals.not_a_reviewer(), PLAIN, "bob"
    )
    yield Attempt("somebody in no policy", "mallory", on_emergency(PLAIN), cannot("patch"), PLAIN, "bob")
    yield Attempt(
        "an approver who is no reviewer",
        "bob",
        about(lambda scene: over(scene, policy="glass-carol"), PLAIN),
        refusals.not_a_reviewer("glass-carol"),
        PLAIN,
        "carol",
    )
    yield Attempt("the operator", "operator", on_emergency(PLAIN), refusals.OPERATOR_REVIEWS, PLAIN, "bob")
    yield Attempt("a user whose name has a colon", "bob: x", on_emergency(PLAIN), refusals.REVIEWER_WITH_COLON, PLAIN, "bob")


def lines() -> Iterator[Attempt]:
    for words, text in CONTROLS.items():
        yield Attempt(
            f"{words} in the note of a review",
            "bob",
            on_emergency(writes("reviews", f"bob: fine: a{text}b")),
            refusals.review_line(13),
            reviews("fine: a b ✓"),
        )
    for words, text in (
        ("another word", "ok"),
        ("a capital", "Fine"),
        ("nothing", ""),
        ("a note alone", "all as said"),
        ("a colon without a space", "fine:"),
        ("a note without a space", "misuse:x"),
        ("a space at the end", "fine "),
        ("a longer word", "misused: x"),
        ("two words", "fine misuse"),
        ("a Cyrillic letter", "f\u0456ne"),
    ):
        yield Attempt(f"{words} for a finding", "bob", on_emergency(own_line("reviews", text)), refusals.NO_FINDING, reviews())
    for finding in ("fine", "misuse"):
        yield Attempt(
            f"a note of 1025 characters behind {finding}",
            "bob",
            on_emergency(own_line("reviews", f"{finding}: " + "n" * 1025)),
            refusals.REVIEW_TOO_LONG,
            own_line("reviews", f"{finding}: " + "n" * 1024),
        )
    yield Attempt(
        "five combining marks on a letter of a review",
        "bob",
        on_emergency(writes("reviews", "bob: fine: e" + "\u0301" * 5)),
        refusals.REVIEW_MARKS,
        own_line("reviews", "fine: e" + "\u0301" * 4),
    )
    for words, text in (
        ("another's name", "carol: fine"),
        ("an empty value", ""),
        ("only the name", "bob"),
        ("only the finding", "fine"),
        ("a capital in the name", "Bob: fine"),
        ("a leading line break", "\nbob: fine"),
    ):
        yield Attempt(f"{words} in a review", "bob", on_emergency(writes("reviews", text)), refusals.OWN_REVIEW, PLAIN)
    for words, text in (("two lines at once", "bob: fine\ncarol: fine"), ("a trailing line break", "bob: fine\n")):
        yield Attempt(f"{words} as a review", "bob", on_emergency(writes("reviews", text)), refusals.REVIEW_ONE_LINE, PLAIN)


def ledger() -> Iterator[Attempt]:
    """What is tried after bob's review, before the operator has seen it."""
    for words, who, how, refusal in (
        ("a second review by the same person", "bob", own_line("reviews", "misuse"), refusals.REVIEWED_TWICE),
        ("a second review by the same person in capitals", "Bob", PLAIN, refusals.REVIEWED_TWICE),
        ("wiping the reviews", "carol", writes("reviews", None), refusals.OWN_REVIEW),
        ("editing another's review", "carol", writes("reviews", "bob: misuse"), refusals.OWN_REVIEW),
        ("a review before another's", "carol", writes("reviews", "carol: fine\nbob: fine"), refusals.OWN_REVIEW),
    ):
        yield Attempt(words, who, on_emergency(unseen("bob: fine", how)), refusal, on_emergency(PLAIN), "carol")


def reviewed(scene: Scene) -> None:
    """Emergency access that bob has reviewed, which is on record."""
    name = over(scene)
    Theatre.sure(scene.stage.decide("bob", "review", name, "fine"))
    eventually(lambda: scene.stage.status(name)["awaitingReview"] is False, "the review is recorded")


TIMES = (
    Attempt(
        "a review while the access lasts", "bob", about(lasting, PLAIN), refusals.STILL_LASTS, decides("revoke"), twin_who="alice"
    ),
    Attempt("a review before it began", "bob", PLAIN, refusals.NO_EMERGENCY, on_emergency(PLAIN)),
    Attempt("a review of what was no emergency", "bob", about(settled, PLAIN), refusals.NO_EMERGENCY, on_emergency(PLAIN)),
    Attempt(
        "a second opinion once the review stands", "carol", about(reviewed, PLAIN), refusals.REVIEWED_ALREADY, on_emergency(PLAIN)
    ),
    Attempt(
        "taking a review back", "bob", about(reviewed, writes("reviews", None)), refusals.REVIEWED_ALREADY, on_emergency(PLAIN)
    ),
    Attempt("approving emergency access that is over", "bob", on_emergency(own_line()), refusals.settled("Expired"), PLAIN),
    Attempt(
        "a denial along with a review",
        "bob",
        on_emergency(both(denials="{me}: no", reviews="{me}: fine")),
        refusals.settled("Expired"),
        PLAIN,
    ),
)

NAMES = (
    Attempt(
        "born reviewed",
        "alice",
        creates_with(annotations={REVIEWS: "bob: fine"}),
        refusals.already_decided(REVIEWS),
        creates_with(annotations={"example.com/reviewed": "yes"}),
    ),
    Attempt(
        "reviews under another prefix",
        "alice",
        merges(annotations({"example.com/Reviews": "bob: fine"})),
        refusals.annotation("example.com/Reviews"),
        merges(annotations({"example.com/reviewers": "bob"})),
    ),
    Attempt(
        "a planted annotation for the next reviewer",
        "alice",
        on_emergency(merges(annotations({"jitaccess.dev/review": "fine"}))),
        refusals.OWN_ACCESS,
        reviews(),
        twin_who="bob",
        by_hand=refusals.REVIEW_NOT_STAMPED,
    ),
    Attempt(
        "the comfort annotation and another's line in one patch",
        "bob",
        on_emergency(both(review="fine", reviews="carol: fine")),
        refusals.OWN_REVIEW,
        reviews(),
        by_hand=refusals.REVIEW_NOT_STAMPED,
    ),
    Attempt(
        "a finding that is none in the comfort annotation",
        "bob",
        on_emergency(merges(annotations({"jitaccess.dev/review": "looks good"}))),
        refusals.NO_FINDING,
        reviews(),
        by_hand=refusals.REVIEW_NOT_STAMPED,
    ),
)


@table(people(), lines(), ledger(), TIMES, NAMES)
def test_nobody_reviews_but_reviewers_once_it_is_over_and_in_their_own_name(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)
