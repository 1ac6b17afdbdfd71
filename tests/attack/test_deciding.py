"""Approving in another's name, twice, one's own, too late, or with more in the line than a line holds."""

import threading
from collections.abc import Iterator

import pytest

from attack import refusals
from attack.stage import Stage, Theatre
from attack.table import Attempt, How, Scene, about, after, cannot, creates, decides, merges, on_both, play, table, writes
from attack.test_asking import CONTROLS
from controlplane.client import Answer, Person
from people import LONG_NAME
from team import REQUESTS, annotations, eventually

APPROVALS = "jitaccess.dev/approvals"
BOBS = writes("approvals", "bob: ok")


def own_line(ledger: str = "approvals", note: str = "ok") -> How:
    """Add one's own line to what is there, as one does by hand and may do everywhere."""

    def how(scene: Scene, me: Person) -> Answer:
        key = f"jitaccess.dev/{ledger}"
        before = scene.stage.annotations(scene.name).get(key)
        line = f"{me.name}: {note}"
        return me.merge(REQUESTS, scene.name, annotations({key: line if before is None else f"{before}\n{line}"}))

    return how


def both(**values: str) -> How:
    """Set several of our annotations in one patch."""

    def how(scene: Scene, me: Person) -> Answer:
        ours = {f"jitaccess.dev/{name}": value.replace("{me}", me.name) for name, value in values.items()}
        return me.merge(REQUESTS, scene.name, annotations(ours))

    return how


def applies(ledger: str) -> How:
    """Write a ledger by server-side apply, by force."""

    def how(scene: Scene, me: Person) -> Answer:
        metadata = {"name": scene.name, "annotations": {APPROVALS: ledger.replace("{me}", me.name)}}
        manifest = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "metadata": metadata}
        return me.apply(REQUESTS, scene.name, manifest)

    return how


def applies_nothing(scene: Scene, me: Person) -> Answer:
    """Apply without the ledger what was applied with it: server-side apply takes it away again."""
    manifest = {"apiVersion": "jitaccess.dev/v1alpha1", "kind": "AccessRequest", "metadata": {"name": scene.name}}
    return me.apply(REQUESTS, scene.name, manifest)


def operates(op: str, value: str | None = None, key: str = APPROVALS) -> How:
    """Change an annotation by a JSON patch operation."""
    path = f"/metadata/annotations/{key.replace('/', '~1')}"
    return lambda scene, me: me.patch(REQUESTS, scene.name, {"op": op, "path": path, **({"value": value} if value else {})})


def drops_all(scene: Scene, me: Person) -> Answer:
    """Take all annotations away by a JSON patch."""
    return me.patch(REQUESTS, scene.name, {"op": "remove", "path": "/metadata/annotations"})


def replaces(value: str | None) -> How:
    """Replace the whole object, with that ledger or without annotations."""

    def how(scene: Scene, me: Person) -> Answer:
        while True:
            found = scene.stage.get(scene.name)
            found["metadata"].pop("annotations", None)
            if value is not None:
                found["metadata"]["annotations"] = {APPROVALS: value.replace("{me}", me.name)}
            answer = me.put(REQUESTS, scene.name, found)
            if answer.status != 409:  # the operator wrote its status meanwhile
                return answer

    return how


def with_duplicate_key(first: str, second: str) -> How:
    """Send the ledger twice in one JSON object."""

    def how(scene: Scene, me: Person) -> Answer:
        text = f'{{"metadata": {{"annotations": {{"{APPROVALS}": "{first}", "{APPROVALS}": "{second}"}}}}}}'
        return me.merge(REQUESTS, scene.name, text)

    return how


def headers(who: str, **sent: str) -> How:
    """Approve with impersonation headers."""
    names = {name.replace("_", "-"): value for name, value in sent.items()}
    return lambda scene, me: scene.stage.person(who, **names).merge(REQUESTS, scene.name, annotations({APPROVALS: "bob: ok"}))


def by(requester: str, **spec: object) -> How:
    """Let the scene be about that person's request; always a yes."""

    def how(scene: Scene, me: Person) -> Answer:
        return scene.stage.admin.get(REQUESTS, scene.ask(requester, **spec))

    return how


def settled(scene: Scene) -> str:
    """Let the scene be about a request that is over."""
    return scene.about(scene.stage.over)


def fresh(how: How) -> How:
    """Do it on a request that is not over."""

    def then(scene: Scene, me: Person) -> Answer:
        scene.about("")
        return how(scene, me)

    return then


def lines() -> Iterator[Attempt]:
    for words, text in CONTROLS.items():
        yield Attempt(
            f"{words} in the note",
            "bob",
            writes("approvals", f"bob: a{text}b"),
            refusals.one_line(7),
            decides("approve", "a b ✓"),
        )
    for ledger in ("approvals", "denials", "revocations"):
        yield Attempt(
            f"a second name in one's line of {ledger}",
            "bob",
            writes(ledger, "bob: ok\ncarol: ok"),
            refusals.ONE_LINE,
            own_line(ledger),
        )
        yield Attempt(
            f"another's name in {ledger}", "bob", writes(ledger, "carol: ok"), refusals.OWN_LINE, own_line(ledger, "carol: ok")
        )
        yield Attempt(f"an empty value in {ledger}", "bob", writes(ledger, ""), refusals.OWN_LINE, own_line(ledger, ""))
        yield Attempt(
            f"a note of 1025 characters in {ledger}",
            "bob",
            writes(ledger, "bob: " + "n" * 1025),
            refusals.TOO_LONG,
            own_line(ledger, "n" * 1024),
        )
    for words, text in (
        ("only the name", "bob"),
        ("a colon without a space", "bob:ok"),
        ("a space before the colon", "bob : ok"),
        ("a capital", "Bob: ok"),
        ("a Cyrillic letter", "b\u043eb: ok"),
        ("full-width letters", "\uff42\uff4f\uff42: ok"),
        ("a full-width colon", "bob\uff1a ok"),
        ("a no-break space", "bob:\u00a0ok"),
        ("a joiner in the name", "b\u200dob: ok"),
        ("a leading line break", "\nbob: ok"),
        ("a leading space", " bob: ok"),
        ("a list", '["bob: ok"]'),
    ):
        yield Attempt(f"{words} in one's line", "bob", writes("approvals", text), refusals.OWN_LINE, own_line())
    for words, text in (("a trailing line break", "bob: ok\n"), ("two line breaks", "bob: ok\n\n"), ("CR LF", "bob: ok\r\n")):
        yield Attempt(f"{words} after one's line", "bob", writes("approvals", text), refusals.ONE_LINE, own_line())


def histories() -> Iterator[Attempt]:
    """What may not be done to a ledger that bob has written in."""
    yield Attempt("wiping the ledger", "carol", after(BOBS, writes("approvals", None), by="bob"), refusals.OWN_LINE, own_line())
    for words, text, refusal in (
        ("replacing another's line", "carol: ok", refusals.OWN_LINE),
        ("editing another's note", "bob: no\ncarol: ok", refusals.OWN_LINE),
        ("one's line before another's", "carol: ok\nbob: ok", refusals.OWN_LINE),
        ("one's line glued to another's", "bob: okcarol: ok", refusals.OWN_LINE),
        ("CR LF between two lines", "bob: ok\r\ncarol: ok", refusals.OWN_LINE),
        ("U+2028 between two lines", "bob: ok\u2028carol: ok", refusals.OWN_LINE),
        ("an empty line between two lines", "bob: ok\n\ncarol: ok", refusals.OWN_LINE),
        ("a trailing line break to another's line", "bob: ok\n", refusals.OWN_LINE),
        ("cutting another's note", "bob: o", refusals.OWN_LINE),
        ("emptying the ledger", "", refusals.OWN_LINE),
        ("another's second line", "bob: ok\nbob: ok", refusals.OWN_LINE),
        ("two lines at once", "bob: ok\ncarol: ok\ncarol: ok", refusals.ONE_LINE),
        ("a line for a friend too", "bob: ok\ncarol: ok\ndave: ok", refusals.ONE_LINE),
    ):
        yield Attempt(words, "carol", after(BOBS, writes("approvals", text), by="bob"), refusal, own_line())
    wiping: tuple[tuple[str, How, How], ...] = (
        ("a JSON patch", operates("remove"), operates("replace", "bob: ok\npat: ok")),
        ("a JSON patch of all annotations", drops_all, operates("replace", "bob: ok\npat: ok")),
        ("a PUT without annotations", replaces(None), replaces("bob: ok\npat: ok")),
        ("a PUT with one's own line only", replaces("pat: ok"), replaces("bob: ok\npat: ok")),
        ("server-side apply", applies("pat: ok"), applies("bob: ok\npat: ok")),
        ("null for all annotations", merges({"metadata": {"annotations": None}}), own_line()),
    )
    for words, how, twin in wiping:
        # A PUT needs `update`, which no derived Role gives: pat is in a group that may.
        yield Attempt(f"wiping approvals by {words}", "pat", after(BOBS, how, by="bob"), refusals.OWN_LINE, twin)
    yield Attempt(
        "taking one's own line back by applying without it",
        "bob",
        after(applies("{me}: ok"), applies_nothing),
        refusals.OWN_LINE,
        own_line("denials"),
    )


def people() -> Iterator[Attempt]:
    for verb in ("approve", "deny"):
        yield Attempt(
            f"a requester tries to {verb} another's request",
            "erin@example.com",
            decides(verb),
            refusals.not_an_approver(),
            decides(verb),
            twin_who="bob",
        )
        yield Attempt(
            f"with patch rights but no say, trying to {verb}",
            "trent",
            decides(verb),
            refusals.not_an_approver(),
            decides(verb),
            twin_who="bob",
        )
        yield Attempt(
            f"with every right on requests but no say, trying to {verb}",
            "wanda",
            decides(verb),
            refusals.not_an_approver(),
            decides(verb),
            twin_who="bob",
        )
        yield Attempt(
            f"somebody in no policy tries to {verb}", "mallory", decides(verb), cannot("patch"), decides(verb), twin_who="bob"
        )
    yield Attempt(
        "the requester denies their own request", "alice", decides("deny"), refusals.not_an_approver(), decides("revoke")
    )
    yield Attempt(
        "a requester revokes another's request",
        "erin@example.com",
        decides("revoke"),
        refusals.not_a_revoker(),
        decides("revoke"),
        twin_who="alice",
    )
    yield Attempt(
        "with patch rights but no say, trying to revoke",
        "trent",
        decides("revoke"),
        refusals.not_a_revoker(),
        decides("revoke"),
        twin_who="carol",
    )
    yield Attempt(
        "the approver of another policy",
        "erin@example.com",
        about(lambda scene: scene.ask("alice", policyRef={"name": "debug"}), decides("approve")),
        refusals.not_an_approver("debug"),
        after(by("alice", policyRef={"name": "other"}), decides("approve")),
    )
    yield Attempt(
        "the requester approves, being no approver", "alice", own_line(), refusals.OWN_REQUEST, own_line(), twin_who="bob"
    )
    yield Attempt(
        "the requester plants an annotation for the next approver",
        "alice",
        merges(annotations({"jitaccess.dev/approve": "ok"})),
        refusals.OWN_REQUEST,
        decides("approve"),
        twin_who="bob",
        by_hand=refusals.NOT_STAMPED_HERE,
    )
    yield Attempt(
        "an approver approves their own request",
        "dave",
        about(lambda scene: scene.ask("dave"), decides("approve")),
        refusals.OWN_REQUEST,
        decides("approve"),
        twin_who="bob",
    )
    yield Attempt(
        "an approver approves their own request by hand",
        "dave",
        about(lambda scene: scene.ask("dave"), own_line()),
        refusals.OWN_REQUEST,
        own_line(),
        twin_who="bob",
    )
    yield Attempt(
        "an approver denies another's request and approves it as its requester",
        "dave",
        about(lambda scene: scene.ask("dave"), both(denials="{me}: no", approvals="{me}: ok")),
        refusals.OWN_REQUEST,
        both(denials="{me}: no"),
    )
    yield Attempt(
        "a robot approves its own request by its full name",
        "robot",
        about(lambda scene: scene.ask(scene.stage.robot, policyRef={"name": "robots"}), own_line()),
        refusals.OWN_REQUEST,
        own_line(),
        twin_who="bob",
    )
    yield Attempt(
        "a robot approves in its short name",
        "robot",
        about(lambda scene: scene.ask(scene.stage.robot, policyRef={"name": "robots"}), writes("approvals", "robot: ok")),
        refusals.OWN_LINE,
        own_line(),
        twin_who="bob",
    )
    yield Attempt(
        "with Impersonate-User",
        "mallory",
        headers("mallory", Impersonate_User="bob"),
        cannot("impersonate-on:user-info:patch"),
        own_line(),
        twin_who="bob",
    )
    yield Attempt(
        "the operator approves in another's name",
        "operator",
        writes("approvals", "bob: ok"),
        refusals.OPERATOR_DECIDES,
        own_line(),
        twin_who="bob",
    )
    yield Attempt(
        "the operator approves in its own name",
        "operator",
        own_line(),
        refusals.OPERATOR_DECIDES,
        own_line(),
        twin_who="bob",
    )
    yield Attempt(
        "the operator asks for itself",
        "operator",
        creates(),
        refusals.OPERATOR_ASKS,
        creates(),
        twin_who="alice",
    )


def names() -> Iterator[Attempt]:
    for who in ("bob: x", "bob\nalice: forged"):
        yield Attempt(f"{who!r} approves", who, own_line(), refusals.NAME_WITH_COLON, own_line(), twin_who="bob")
        yield Attempt(f"{who!r} denies", who, own_line("denials"), refusals.NAME_WITH_COLON, own_line("denials"), twin_who="bob")
    for who in ("bob\nalice", "bob\u202egnihsif", "bob\u0085", "bob\u200b"):
        yield Attempt(f"{who!a} approves", who, own_line(), refusals.ONE_LINE, own_line(), twin_who="bob")
        yield Attempt(f"{who!a} asks", who, creates(), refusals.hidden(4), creates(), twin_who="alice", status=422)
    yield Attempt(
        "a name of 254 characters asks",
        "too-long." + "n" * 245,
        creates(),
        "spec.requester: Too long: may not be more than 253 bytes",
        creates(),
        twin_who=LONG_NAME,
        status=422,
    )
    for who in ("bob:", "bob ", "Bob", "b\u043eb", "\uff42\uff4f\uff42", "bob, carol", "bob carol"):
        yield Attempt(f"{who!a} approves in bob's name", who, writes("approvals", "bob: ok"), refusals.OWN_LINE, own_line())


@table(
    lines(),
    histories(),
    people(),
    names(),
    Attempt("a second approval by the same person", "bob", after(own_line(), own_line()), refusals.TWICE, own_line("denials")),
    Attempt(
        "a second approval as one does here",
        "bob",
        after(decides("approve"), decides("approve")),
        refusals.TWICE,
        decides("revoke"),
    ),
    Attempt(
        "a second approval in capitals, by what may be the same person",
        "Bob",
        after(own_line(), own_line(), by="bob"),
        refusals.TWICE,
        own_line("denials"),
    ),
    Attempt(
        "approving the request of somebody of the same name in small letters",
        "ALICE",
        own_line(),
        refusals.OWN_REQUEST_IN_CAPITALS,
        after(by("erin@example.com"), own_line()),
    ),
    Attempt(
        "five combining marks on a letter of the note",
        "bob",
        writes("approvals", "bob: e" + "\u0301" * 5),
        refusals.NOTE_MARKS,
        own_line("approvals", "e" + "\u0301" * 4),
    ),
    Attempt(
        "a second approval after another's",
        "bob",
        after(own_line(), after(own_line(), own_line(), by="carol")),
        refusals.TWICE,
        decides("deny"),
    ),
    Attempt(
        "two lines by one person in one ledger at once",
        "bob",
        writes("approvals", "bob: ok\nbob: ok"),
        refusals.ONE_LINE,
        own_line(),
    ),
    Attempt(
        "one's own line in one ledger, another's in the next",
        "bob",
        both(approvals="bob: ok", denials="carol: no"),
        refusals.OWN_LINE,
        both(approvals="bob: ok", denials="bob: no"),
    ),
    Attempt(
        "approving a settled request",
        "bob",
        about(settled, decides("approve")),
        refusals.settled("Withdrawn"),
        fresh(decides("approve")),
    ),
    Attempt(
        "denying a settled request",
        "bob",
        about(settled, own_line("denials")),
        refusals.settled("Withdrawn"),
        fresh(own_line("denials")),
    ),
    Attempt(
        "revoking a settled request",
        "alice",
        about(settled, writes("revocations", "alice: x\nalice: y")),
        refusals.settled("Withdrawn"),
        fresh(decides("revoke")),
    ),
    Attempt(
        "wiping the ledger of a settled request",
        "bob",
        about(settled, writes("revocations", None)),
        refusals.settled("Withdrawn"),
        fresh(own_line()),
    ),
    Attempt(
        "a comfort annotation and another's line in one patch",
        "bob",
        both(approve="ok", approvals="carol: ok"),
        refusals.OWN_LINE,
        decides("approve"),
        by_hand=refusals.NOT_STAMPED_HERE,
    ),
    Attempt(
        "a comfort annotation and one's own line in one patch",
        "bob",
        both(approve="ok", approvals="{me}: ok"),
        refusals.ONE_LINE,
        decides("approve"),
        by_hand=refusals.NOT_STAMPED_HERE,
    ),
    Attempt(
        "a line break in a comfort annotation",
        "bob",
        both(approve="ok\ncarol: ok"),
        refusals.ONE_LINE,
        decides("approve"),
        by_hand=refusals.NOT_STAMPED_HERE,
    ),
    Attempt(
        "a comfort annotation of 1025 characters",
        "bob",
        both(approve="n" * 1025),
        refusals.TOO_LONG,
        decides("approve", "é" * 1024),
        by_hand=refusals.NOT_STAMPED_HERE,
    ),
    Attempt(
        "a comfort annotation where nobody stamps it",
        "bob",
        both(approve="ok"),
        refusals.NOT_STAMPED_HERE,
        decides("approve"),
        only="by hand",
    ),
    Attempt(
        "a comfort revocation where nobody stamps it",
        "alice",
        both(revoke="ok"),
        refusals.NOT_STAMPED_HERE,
        decides("revoke"),
        only="by hand",
    ),
    Attempt(
        "a comfort annotation twice, by JSON patch",
        "bob",
        after(decides("approve"), operates("add", "ok", "jitaccess.dev/approve")),
        refusals.TWICE,
        own_line("denials"),
        by_hand=refusals.NOT_STAMPED_HERE,
    ),
    Attempt(
        "the ledger twice in one JSON object, the last in another's name",
        "bob",
        with_duplicate_key("bob: ok", "carol: ok"),
        refusals.OWN_LINE,
        with_duplicate_key("carol: ok", "bob: ok"),
    ),
    Attempt("a number for a ledger", "bob", merges(annotations({APPROVALS: 1})), "of type string", own_line(), status=422),
    Attempt("a PUT by an approver", "bob", replaces("bob: ok"), cannot("update"), own_line()),
)
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@on_both()
@pytest.mark.parametrize(
    "who",
    ["bob:", "bob ", "b\u043eb", "\uff42\uff4f\uff42", "bob, carol", "bob carol", "zoë-名前", "zoe\u0308-名前", LONG_NAME],
    ids=ascii,
)
def test_people_of_unusual_names_count_as_exactly_themselves(stage: Theatre, who: str) -> None:
    name = stage.request()
    Stage.sure(stage.decide("bob", "approve", name, "mine: own"))
    Stage.sure(stage.decide(who, "approve", name, " : theirs"))
    status = stage.until(name, "Active")
    assert [(each["by"], each["note"]) for each in status["approvals"]] == [("bob", "mine: own"), (who, " : theirs")]


def test_two_spellings_that_look_alike_are_two_people_to_api_server_and_operator(stage: Theatre) -> None:
    composed, decomposed = "zoë-名前", "zoe\u0308-名前"
    name = stage.request(composed)
    Stage.sure(stage.decide(decomposed, "approve", name))
    refused = stage.decide(composed, "approve", name)
    assert refused.message.endswith(refusals.OWN_REQUEST)
    Stage.sure(stage.decide("bob", "approve", name))
    assert [each["by"] for each in stage.until(name, "Active")["approvals"]] == [decomposed, "bob"]


@on_both()
def test_a_policy_of_two_is_not_content_with_one_person_in_two_ledgers(stage: Theatre) -> None:
    name = stage.request()
    Stage.sure(stage.decide("bob", "approve", name))
    assert stage.decide("bob", "approve", name).message.endswith(refusals.TWICE.format(me="bob"))
    assert stage.until(name, "Pending")["state"] == "Pending"
    assert not stage.bindings(name)
    Stage.sure(stage.decide("carol", "approve", name))
    stage.until(name, "Active")


def test_denial_wins_over_any_number_of_approvals_in_the_same_patch(stage: Theatre) -> None:
    name = stage.request(policyRef={"name": "debug"})
    Stage.sure(stage.person("bob").merge(REQUESTS, name, annotations({APPROVALS: "bob: ok", "jitaccess.dev/denials": "bob: no"})))
    assert stage.until(name, "Denied")["settled"] is True
    assert not stage.bindings(name)


@on_both()
def test_approvers_at_the_same_moment_are_all_heard(stage: Theatre) -> None:
    approvers = ("bob", "carol", "dave", "pat", "bob carol", "bob:")
    for _ in range(3):
        name = stage.request(policyRef={"name": "crowd"})
        for who in approvers:
            stage.person(who).get(REQUESTS, name)  # connected before the start
        start, tries = threading.Barrier(len(approvers)), dict.fromkeys(approvers, 0)

        def approve(who: str, name: str = name, start: threading.Barrier = start, tries: dict[str, int] = tries) -> None:
            start.wait()
            while True:
                tries[who] += 1
                answer = stage.person(who).merge(REQUESTS, name, crowd_decision(stage, who, name))
                if answer.ok:
                    return
                # By hand, whoever comes second is told to read again; nobody is told anything else.
                assert not stage.stamped or answer.status == 409, answer.message
                assert answer.status == 409 or answer.message.endswith(refusals.OWN_LINE.format(me=who)), answer.message

        threads = [threading.Thread(target=approve, args=(who,)) for who in approvers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        recorded = stage.annotations(name)[APPROVALS].split("\n")
        assert sorted(recorded) == sorted(f"{who}: ok" for who in approvers), tries
        status = stage.until(name, "Active")
        assert sorted(each["by"] for each in status["approvals"]) == sorted(approvers)


def crowd_decision(stage: Theatre, who: str, name: str) -> dict[str, object]:
    """A decision that reads, where it must, over the approver's own connection."""
    if stage.stamped:
        return annotations({"jitaccess.dev/approve": "ok"})
    found = Stage.sure(stage.person(who).get(REQUESTS, name))
    before = (found["metadata"].get("annotations") or {}).get(APPROVALS)
    return annotations({APPROVALS: f"{who}: ok" if before is None else f"{before}\n{who}: ok"})


def test_somebody_just_removed_from_the_policy_can_no_longer_approve(stage: Theatre) -> None:
    pat = {"kind": "User", "name": "pat"}
    stage.policy("shrinking", approvers=[pat, {"kind": "User", "name": "carol"}], requiredApprovals=2)
    eventually(lambda: stage.may("pat", "approve", "shrinking"), "pat is in")
    name = stage.request(policyRef={"name": "shrinking"})
    Stage.sure(
        stage.admin.merge(
            "accesspolicies", "shrinking", {"spec": {"approvers": [{"kind": "User", "name": "carol"}], "requiredApprovals": 1}}
        )
    )
    eventually(lambda: not stage.may("pat", "approve", "shrinking"), "pat is out")
    answer = stage.decide("pat", "approve", name)
    assert answer.message.endswith(refusals.not_an_approver("shrinking").format(me="pat", namespace=stage.namespace))
    eventually(lambda: stage.may("carol", "approve", "shrinking"), "carol is still in")
    Stage.sure(stage.decide("carol", "approve", name))
    stage.until(name, "Active")


def test_nobody_approves_while_the_policy_is_gone_even_if_the_operator_is_down(stage: Theatre) -> None:
    stage.policy("vanishing")
    name = stage.request(policyRef={"name": "vanishing"})
    stage.until(name, "Pending")
    with stage.operator_frozen():
        Stage.sure(stage.admin.delete("accesspolicies", "vanishing"))
        # As the garbage collector does sooner or later, and may have done already.
        stage.admin.delete("rolebindings", "jitaccess:vanishing:approver")
        eventually(lambda: not stage.may("pat", "approve", "vanishing"), "nobody holds the verb")
        answer = stage.decide("pat", "approve", name)
        assert answer.message.endswith(refusals.not_an_approver("vanishing").format(me="pat", namespace=stage.namespace))
    assert stage.until(name, "Denied")["conditions"]
    assert stage.condition(name, "Denied")["reason"] == "PolicyNotFound"


@on_both()
def test_an_approval_does_not_wait_for_a_policy_to_come_back(stage: Theatre) -> None:
    stage.policy("again", requiredApprovals=2)
    name = stage.request(policyRef={"name": "again"})
    Stage.sure(stage.decide("bob", "approve", name))
    Stage.sure(stage.admin.delete("accesspolicies", "again"))
    stage.until(name, "Denied")
    stage.policy("again")
    assert stage.decide("carol", "approve", name).message.endswith(refusals.settled("Denied"))
    twin = stage.request(policyRef={"name": "again"})
    Stage.sure(stage.decide("carol", "approve", twin))
    stage.until(twin, "Active")
    assert not stage.bindings(name)
