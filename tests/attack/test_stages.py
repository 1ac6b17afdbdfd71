"""Approving in a stage that is not one's own, in two, or for longer than was asked for."""

from collections.abc import Iterator

from attack import refusals
from attack.stage import Theatre
from attack.table import Attempt, How, Scene, about, after, creates_with, decides, merges, play, table
from attack.test_deciding import both, own_line
from controlplane.client import Answer, Person
from team import REQUESTS, annotations, eventually

LEAD, SECURITY = "jitaccess.dev/approvals.lead", "jitaccess.dev/approvals.security"
# What looks like an approval for less time, and is none.
MALFORMED = {
    "no space behind the bracket": "[for 30m]go ahead",
    "two spaces in it": "[for  30m] go ahead",
    "a space before the unit": "[for 30 m] go ahead",
    "a sign": "[for -30m] go ahead",
    "days": "[for 1d] go ahead",
    "no unit": "[for 30] go ahead",
    "capitals": "[For 30m] go ahead",
    "a space in front": " [for 30m] go ahead",
    "no end": "[for 30m",
    "words": "[for half an hour] go ahead",
    "other digits": "[for \u0663m] go ahead",
    "a no-break space behind it": "[for 30m]\u00a0go ahead",
    "no space in it": "[for30m] go ahead",
    "a no-break space in it": "[for\u00a030m] go ahead",
    "an ideographic space in front": "\u3000[for 30m] go ahead",
    "nothing in it": "[for] go ahead",
}
TOO_LONG = {"twice as long": "2h", "a millisecond longer": "1h1ms", "no time": "0s", "a nanosecond": "1ns"}


def under(policy: str, how: How) -> How:
    """Do it to a request of alice's under a policy with stages, once the operator has recorded them."""

    def prepare(scene: Scene) -> None:
        name = scene.ask("alice", policyRef={"name": policy})
        eventually(lambda: scene.stage.status(name).get("stages"), f"the stages of {name} are on record")

    return about(prepare, how)


def looked_at(how: How) -> How:
    """Do it once the operator has looked at the request: before, whoever decides in a stage is told to wait for that."""

    def prepare(scene: Scene) -> None:
        name = scene.ask("alice")
        eventually(lambda: scene.stage.status(name).get("state"), f"{name} is on record")

    return about(prepare, how)


def staged(how: How) -> How:
    return under("staged", how)


def in_stage(stage: str, note: str = "ok") -> How:
    """Approve in a stage as one does on this system."""

    def how(scene: Scene, me: Person) -> Answer:
        return me.merge(REQUESTS, scene.name, scene.stage.decision(me.name, "approve", scene.name, note, stage=stage))

    return how


def sets(**values: str) -> How:
    """Set ledgers of stages in one patch."""

    def how(scene: Scene, me: Person) -> Answer:
        ours = {f"jitaccess.dev/approvals.{stage}": value.replace("{me}", me.name) for stage, value in values.items()}
        return me.merge(REQUESTS, scene.name, annotations(ours))

    return how


def brackets() -> Iterator[Attempt]:
    for words, note in MALFORMED.items():
        yield Attempt(
            f"a bracket with {words}", "bob", decides("approve", note), refusals.BRACKET, decides("approve", "[for 30m] go ahead")
        )
    for words, length in TOO_LONG.items():
        yield Attempt(
            f"approving for {words}",
            "bob",
            decides("approve", f"[for {length}] go ahead"),
            refusals.NOT_LONGER + f"{length} is not between that and the 1h that was asked for",
            decides("approve", "[for 1h] go ahead"),
        )
    for words, note, place in (
        ("a zero-width space in the bracket", "[for 3\u200b0m] go ahead", 12),
        ("a zero-width space before for", "[\u200bfor 30m] go ahead", 7),
        ("a soft hyphen in front of the bracket", "\u00ad[for 30m] go ahead", 6),
        ("a right-to-left override behind it", "[for 30m] \u202ego ahead", 16),
    ):
        yield Attempt(words, "bob", decides("approve", note), refusals.one_line(place), decides("approve", "[for 30m]"))
    yield Attempt(
        "a bracket with more digits than a number has",
        "bob",
        decides("approve", "[for 99999999999999999999h]"),
        refusals.NOT_LONGER,
        decides("approve", "[for 1ms]"),
    )
    yield Attempt(
        "a bracket for a note",
        "bob",
        under("staged-noted", in_stage("lead", "[for 30m]")),
        refusals.NOTE_REQUIRED.replace("'noted'", "'staged-noted'"),
        in_stage("lead", "[for 30m] seen"),
    )
    yield Attempt(
        "approving for longer than was asked for, in a stage",
        "bob",
        staged(in_stage("lead", "[for 2h] ok")),
        refusals.NOT_LONGER,
        in_stage("lead", "[for 59m] ok"),
    )


@table(
    Attempt("a stage of others", "bob", staged(in_stage("security")), refusals.not_of_the_stage("security"), in_stage("lead")),
    Attempt("a stage, by nobody", "trent", staged(in_stage("lead")), refusals.not_of_the_stage("lead"), in_stage("lead"), "bob"),
    Attempt("a stage that there is not", "bob", staged(in_stage("nobody")), refusals.no_stage("nobody"), in_stage("lead")),
    Attempt(
        "a stage that there is not, with every right there is",
        "admin",
        staged(sets(nobody="{me}: ok")),
        refusals.no_stage("nobody"),
        in_stage("lead"),
    ),
    Attempt("a stage in capitals", "bob", staged(in_stage("Lead")), refusals.no_stage("Lead"), in_stage("lead")),
    Attempt("a stage of a policy without", "bob", looked_at(in_stage("lead")), refusals.NO_STAGES, decides("approve")),
    Attempt("the plain ledger of a policy with stages", "bob", staged(own_line()), refusals.IN_STAGES, in_stage("lead")),
    Attempt(
        "the plain ledger of a policy with stages, with every right there is",
        "admin",
        staged(own_line()),
        refusals.IN_STAGES,
        in_stage("security"),
    ),
    Attempt(
        "two stages in one call",
        "sue",
        staged(sets(lead="{me}: ok", security="{me}: ok")),
        refusals.ONE_AT_A_TIME,
        in_stage("lead"),
    ),
    Attempt(
        "two stages in one call, one of which is not there",
        "sue",
        staged(sets(lead="{me}: ok", nobody="{me}: ok")),
        refusals.ONE_AT_A_TIME,
        in_stage("security"),
    ),
    Attempt(
        "a stage and the plain ledger in one call",
        "bob",
        staged(both(**{"approvals.lead": "{me}: ok", "approvals": "{me}: ok"})),
        refusals.ONE_AT_A_TIME,
        in_stage("lead"),
    ),
    Attempt(
        "a stage and a denial in one call",
        "sue",
        staged(both(**{"approvals.lead": "{me}: ok", "denials": "{me}: no"})),
        refusals.ONE_AT_A_TIME,
        decides("deny"),
    ),
    Attempt(
        "one person in two stages",
        "sue",
        staged(after(in_stage("lead"), in_stage("security"))),
        refusals.two_stages("security"),
        in_stage("security"),
        "sam",
    ),
    Attempt(
        "one person in two stages, in capitals",
        "SUE",
        staged(after(in_stage("lead"), in_stage("security"), by="sue")),
        refusals.two_stages("security"),
        in_stage("security"),
        "sam",
    ),
    Attempt(
        "twice in one stage",
        "sue",
        staged(after(in_stage("lead"), in_stage("lead"))),
        refusals.TWICE,
        decides("deny"),
    ),
    Attempt(
        "one's own request, as an approver of a stage",
        "alice",
        under("staged-own", in_stage("lead")),
        refusals.OWN_REQUEST,
        in_stage("lead"),
        "bob",
    ),
    Attempt(
        "one's own request in capitals",
        "ALICE",
        staged(in_stage("lead")),
        refusals.OWN_REQUEST_IN_CAPITALS,
        in_stage("lead"),
        "bob",
    ),
    Attempt(
        "in another's name",
        "bob",
        staged(sets(lead="carol: ok")),
        refusals.OWN_LINE,
        sets(lead="{me}: ok"),
    ),
    Attempt(
        "taking another's approval away",
        "bob",
        staged(after(in_stage("lead"), merges(annotations({LEAD: None})), by="carol")),
        refusals.OWN_LINE,
        decides("deny"),
    ),
    Attempt(
        "a stage of one's own that one does not name, of two",
        "sue",
        staged(both(approve="ok")),
        refusals.STAGES_NOT_STAMPED,
        in_stage("security"),
    ),
    Attempt(
        "a stage that one does not name, and none is one's own",
        "trent",
        staged(both(approve="ok")),
        refusals.STAGES_NOT_STAMPED,
        in_stage("lead"),
        "bob",
    ),
    Attempt(
        "a comfort annotation for a stage where nobody stamps it",
        "bob",
        staged(both(**{"approve.lead": "ok"})),
        refusals.STAGES_NOT_STAMPED,
        in_stage("lead"),
        only="by hand",
    ),
    Attempt(
        "denying without a stage of one's own",
        "erin@example.com",
        staged(decides("deny")),
        refusals.not_an_approver("staged"),
        decides("deny"),
        "sam",
    ),
    Attempt(
        "denying without a stage, with the right to patch",
        "trent",
        staged(decides("deny")),
        refusals.not_an_approver("staged"),
        decides("deny"),
        "sam",
    ),
    Attempt(
        "revoking without a stage, with the right to patch",
        "trent",
        staged(decides("revoke")),
        refusals.not_a_revoker(policy="staged"),
        decides("revoke"),
        "sam",
    ),
    Attempt(
        "a request that is born approved in a stage",
        "alice",
        creates_with(annotations={LEAD: "bob: ok"}),
        refusals.already_decided(LEAD),
        creates_with(annotations={"note": "x"}),
    ),
    Attempt(
        "a request that looks approved in a stage",
        "alice",
        creates_with(annotations={"x.example/approvals.lead": "bob: ok"}),
        refusals.already_decided("x.example/approvals.lead"),
        creates_with(annotations={"x.example/unapprovals.lead": "x"}),
    ),
    Attempt(
        "an annotation that looks like a stage's ledger",
        "bob",
        merges(annotations({"x.example/approvals.lead": "carol: ok"})),
        refusals.annotation("x.example/approvals.lead"),
        decides("approve"),
    ),
    Attempt(
        "writing into status that a stage has approved",
        "wanda",
        staged(merges({"status": {"stages": [{"name": "lead", "required": 1, "approvals": 1}]}}, "status")),
        refusals.STATUS,
        lambda scene, me: me.get(REQUESTS, scene.name),
    ),
    Attempt(
        "a stage, with a status of one's own in the same call",
        "pat",
        staged(
            lambda scene, me: me.merge(
                REQUESTS,
                scene.name,
                {
                    "status": {"stages": [{"name": "x", "required": 1, "approvals": 0}]},
                    **annotations({"jitaccess.dev/approvals.x": "pat: ok"}),
                },
            )
        ),
        refusals.no_stage("x"),
        in_stage("lead"),
    ),
    Attempt(
        "more in a stage than there is room for",
        "bob",
        staged(in_stage("lead", "\U0001f600" * 1025)),
        refusals.TOO_LONG,
        in_stage("lead", "\U0001f600" * 1024),
    ),
    brackets(),
)
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)
