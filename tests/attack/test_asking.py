"""Asking for what one may not have, in another's name, already decided, or for longer than the clock can tell."""

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from attack import refusals
from attack.stage import Stage, Theatre
from attack.table import STAMPED, Attempt, How, Scene, cannot, creates, creates_with, known, on_both, play, table
from controlplane.client import Answer, Person
from team import PATIENCE, POLICIES, REQUESTS

OWN: dict[str, Any] = {"requester": None}
GROUPS = ("developers", "system:authenticated")  # alice's
# What a client may send beside the API server's own bookkeeping: an entry that owns fields which nobody has.
BLOATED: dict[str, Any] = {
    "manager": "m",
    "operation": "Update",
    "apiVersion": "jitaccess.dev/v1alpha1",
    "time": "2020-01-01T00:00:00Z",
    "fieldsType": "FieldsV1",
    "fieldsV1": {"f:metadata": {"f:annotations": {f"f:{number}-{'x' * 200}": {} for number in range(100)}}},
}


def forged(name: Any) -> How:
    """Ask with that in spec.requester."""
    return creates(requester=name)


def of(*groups: str) -> How:
    """Ask with these in spec.requesterGroups."""
    return creates(requesterGroups=list(groups))


def in_own_name(scene: Scene, me: Person) -> Answer:
    """Ask with one's own name written out, which is right on both systems."""
    return me.create(REQUESTS, scene.stage.manifest(me.name, requester=me.name))


def twice_in_json(first: str, second: str) -> How:
    """Send spec.requester twice: the API server and its admission policies must see the same one."""

    def how(scene: Scene, me: Person) -> Answer:
        text = json.dumps(scene.stage.manifest(me.name, requester="FIRST"))
        names = ", ".join(f'"requester": {json.dumps(name.replace("{me}", me.name))}' for name in (first, second))
        return me.create(REQUESTS, text.replace('"requester": "FIRST"', names))

    return how


def applied(requester: str) -> How:
    """Ask by server-side apply, in YAML as kubectl sends it."""

    def how(scene: Scene, me: Person) -> Answer:
        manifest = scene.stage.manifest(me.name, requester=requester.replace("{me}", me.name))
        return me.apply(REQUESTS, manifest["metadata"]["name"], manifest)

    return how


def in_yaml(duration: str) -> How:
    """Ask in YAML, whose words may be numbers, booleans or dates."""

    def how(scene: Scene, me: Person) -> Answer:
        manifest = scene.stage.manifest(me.name, requester=me.name, duration="DURATION")
        text = json.dumps(manifest).replace('"DURATION"', duration)
        return me.apply(REQUESTS, manifest["metadata"]["name"], text)

    return how


def dry_run(requester: str) -> How:
    """Ask without asking."""
    return lambda scene, me: me.create(
        REQUESTS, scene.stage.manifest(me.name, requester=requester.replace("{me}", me.name)), dryRun="All"
    )


def generated(requester: str) -> How:
    """Ask under a generated name."""

    def how(scene: Scene, me: Person) -> Answer:
        manifest = scene.stage.manifest(me.name, requester=requester.replace("{me}", me.name))
        manifest["metadata"] = {"generateName": "r-"}
        return me.create(REQUESTS, manifest)

    return how


def acting_as(**headers: str) -> How:
    """Ask with impersonation headers."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}

    def how(scene: Scene, me: Person) -> Answer:
        return scene.stage.person(me.name, **sent).create(REQUESTS, scene.stage.manifest("alice", requester="alice"))

    return how


def without_token(scene: Scene, me: Person) -> Answer:
    """Ask as nobody."""
    stranger = Person("nobody", me.server, me.ca_file, "no-such-token", me.namespace)
    answer = stranger.create(REQUESTS, scene.stage.manifest("alice", requester="alice"))
    stranger.close()
    return answer


def as_oneself(scene: Scene, me: Person) -> Answer:
    """The honest way, whoever one is."""
    return me.create(REQUESTS, scene.stage.manifest(me.name))


def named(name: str) -> How:
    """Ask under that name."""
    return lambda scene, me: me.create(REQUESTS, scene.stage.manifest(me.name, name))


def forgeries() -> Iterator[Attempt]:
    for words, name in (
        ("another's name", "bob"),
        ("a capital", "Alice"),
        ("a space after it", "alice "),
        ("a space before it", " alice"),
        ("a Cyrillic letter", "\u0430lice"),
        ("full-width letters", "\uff41\uff4c\uff49\uff43\uff45"),
        ("a combining mark", "alice\u0301"),
        ("the prefix of it", "alic"),
        ("more after it", "alice: bob"),
        ("a group", "system:masters"),
    ):
        yield Attempt(f"{words} in spec.requester", "alice", forged(name), refusals.NOT_YOU, in_own_name)


def lookalikes() -> Iterator[Attempt]:
    """Metadata at creation that `kubectl describe` would show like a decision."""
    honest = creates_with(
        annotations={"argocd.argoproj.io/tracking-id": "a:b/c:d", "policies.kyverno.io/last-applied-patches": "one: added /x\n"},
        labels={"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "a"},
    )
    for key in (
        "approval.jitaccess.dev/approvals",
        "JitAccess.dev/approved-by",
        "jit-access.dev/x",
        "jitaccess.dev.example.com/x",
        "example.com/approvals",
        "Denials",
    ):
        yield Attempt(
            f"with the annotation {key}",
            "alice",
            creates_with(annotations={key: "bob: ok"}),
            refusals.already_decided(key),
            honest,
        )
    for key, value in (("approval.jitaccess.dev/approvals", "bob"), ("app.kubernetes.io/managed-by", "jitaccess")):
        yield Attempt(f"with the label {key}", "alice", creates_with(labels={key: value}), refusals.already_decided(key), honest)
    for words, value in (
        ("lines that look like more fields", "x\nSpec:\n  Requester: bob"),
        ("a terminal escape", "\x1b[1A\x1b[2K"),
        ("a blank line at its end", "x\n\n"),
        ("a hidden character", "x\u200by"),
        ("too many marks", "x" + "\u0301" * 5),
    ):
        yield Attempt(
            f"with an annotation of {words}",
            "alice",
            creates_with(annotations={"example.com/notes": value}),
            refusals.unclear_when_made("example.com/notes"),
            honest,
        )
    yield Attempt(
        "with field managers that make the request too large to write on",
        "alice",
        creates_with(managedFields=[BLOATED]),
        refusals.OWN_BOOKKEEPING,
        creates_with(managedFields=[]),
    )


def malformed() -> Iterator[Attempt]:
    schema: list[tuple[str, dict[str, Any], str]] = [
        (
            "a number for a requester",
            {"requester": 5},
            'spec.requester: Invalid value: "integer": spec.requester in body must be of type string',
        ),
        ("a list of requesters", {"requester": ["alice"]}, 'spec.requester: Invalid value: "array"'),
        ("an empty requester", {"requester": ""}, "spec.requester in body should be at least 1 chars long"),
        (
            "a requester with a zero-width space",
            {"requester": "alice\u200b"},
            'spec.requester: Invalid value: "alice\\u200b"' + refusals.hidden(6),
        ),
        ("a requester under marks", {"requester": "bob" + "\u0301" * 5}, refusals.MARKS),
        ("a requester with a line break", {"requester": "alice\n"}, refusals.hidden(6)),
        ("a requester of 254 characters", {"requester": "a" * 254}, "spec.requester: Too long: may not be more than 253 bytes"),
        (
            "another kind of policy",
            {"policyRef": {"kind": "Policy", "name": "two"}},
            'supported values: "AccessPolicy", "ClusterAccessPolicy"',
        ),
        (
            "a policy in another directory",
            {"policyRef": {"name": "../two"}},
            "is no name of a policy: lower-case letters, digits",
        ),
        ("a policy with a capital", {"policyRef": {"name": "Two"}}, "is no name of a policy: lower-case letters, digits"),
        ("a policy with a space", {"policyRef": {"name": "two "}}, "is no name of a policy: lower-case letters, digits"),
        ("a policy with a line break", {"policyRef": {"name": "two\n"}}, "is no name of a policy: lower-case letters, digits"),
        ("no policy", {"policyRef": {"name": ""}}, "spec.policyRef.name in body should be at least 1 chars long"),
        ("no policy at all", {"policyRef": None}, "spec.policyRef: Required value"),
        ("another kind of role", {"roleRef": {"kind": "clusterrole", "name": "view"}}, 'supported values: "Role", "ClusterRole"'),
        (
            "a role in another directory",
            {"roleRef": {"kind": "ClusterRole", "name": "../admin"}},
            'spec.roleRef.name: Invalid value: "../admin": is no name of a role: it has neither',
        ),
        (
            "a role of two dots",
            {"roleRef": {"kind": "ClusterRole", "name": ".."}},
            'spec.roleRef.name: Invalid value: "..": is no name of a role',
        ),
        ("an encoded role", {"roleRef": {"kind": "ClusterRole", "name": "%2e%2e"}}, "is no name of a role: it has neither"),
        (
            "a role with a line break",
            {"roleRef": {"kind": "ClusterRole", "name": "view\n"}},
            refusals.hidden(5),
        ),
        ("no reason", {"reason": ""}, "spec.reason in body should be at least 1 chars long"),
        ("no reason at all", {"reason": None}, "spec.reason: Required value"),
        ("a reason of 1025 characters", {"reason": "x" * 1025}, "spec.reason: Too long: may not be more than 1024 bytes"),
    ]
    for words, spec, refusal in schema:
        yield Attempt(words, "alice", rehearses(**spec), refusal.replace("{", "{{").replace("}", "}}"), rehearses(), status=422)
    for words, text in CONTROLS.items():
        yield Attempt(
            f"a reason with {words}",
            "alice",
            rehearses(reason=f"INC-42 {text} done"),
            refusals.hidden(8),
            rehearses(reason="INC-42 \N{WOMAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4} on it, naïve 名前"),
            status=422,
        )


CONTROLS = {
    "a terminal escape": "\x1b[2J\x1b]0;owned\x07",
    "an 8-bit escape": "\x9b2J",
    "a line break": "\n",
    "a carriage return": "\r",
    "a tab": "\t",
    "a vertical tab": "\x0b",
    "a form feed": "\x0c",
    "a null": "\x00",
    "a delete": "\x7f",
    "a next line (U+0085)": "\u0085",
    "a line separator (U+2028)": "\u2028",
    "a paragraph separator (U+2029)": "\u2029",
    "a zero-width space": "\u200b",
    "a word joiner": "\u2060",
    "a byte order mark": "\ufeff",
    "a right-to-left override": "\u202e",
    "a right-to-left isolate": "\u2067",
    "an Arabic letter mark": "\u061c",
    "a tag character": "\U000e0041",
    "a zero-width joiner": "\u200d",
    "a zero-width non-joiner": "\u200c",
    "an emoji variation selector": "\ufe0f",
    "an ideographic variation selector": "\U000e0100",
    "a grapheme joiner": "\u034f",
    "a blank braille pattern": "\u2800",
    "an inherent Khmer vowel": "\u17b4",
    "a Hangul filler": "\u3164",
    "a private-use character": "\ue000",
    "a private-use character of plane 16": "\U0010fffd",
    "an object replacement character": "\ufffc",
    "a noncharacter": "\ufdd0",
}

NOT_GO = "is not a duration: write it like 30m, 4h or 1h30m, and a day as 24h"
TOO_SHORT, TOO_LONG = (
    '": is too short: at least 1ms',
    '": is too long: at most 720h (30 days)',
)
DURATIONS: list[tuple[Any, str]] = [
    *(
        (text, NOT_GO)
        for text in ("2 days", "1w", "1d", "P1D", "PT1H", "-1h", "+1h", "1h ", " 1h", "1 h", "1H", "1hour", "60", "1.h", ".5h")
    ),
    *(
        (text, NOT_GO)
        for text in (
            "1h\n",
            "\n1h",
            "1h\x00",
            "1e3s",
            "0x1h",
            "1_0h",
            "1,5h",
            "1h-30m",
            "1h 30m",
            "hh",
            "1h30",
            "1µs",
            "1μs",
        )
    ),
    *(
        (text, NOT_GO)
        for text in (
            "\uff11h",
            "٣h",
            "³h",
            "1\uff48",
            "Infinity",
            "NaNs",
            "infs",
            "∞h",
            "1..5h",
            "1.5.5h",
            "null",
            "true",
            "1h;",
            "1h#",
        )
    ),
    *(
        (text, TOO_SHORT)
        for text in ("0s", "0h0m0s", "0.0s", "0.5ns", "0.0000000000000000000000001h", "000000000000000000000000000000s")
    ),
    *((text, TOO_LONG) for text in ("721h", "720h1ns", "720h0.000001s", "43201m", "2592000001ms", "1000000h", "2562047h")),
    ("", NOT_GO),
    ("s", NOT_GO),
    ("h", NOT_GO),
    ("1h" * 17, "spec.duration: Too long: may not be more than 32 bytes"),
    ("9" * 31 + "h", TOO_LONG),
    ("2562048h", TOO_LONG),
    ("99999h" * 5, TOO_LONG),
    ("999999999s" * 3, TOO_LONG),
    (None, "spec.duration: Required value"),
    (3600, 'spec.duration: Invalid value: "integer"'),
    (1.5, 'spec.duration: Invalid value: "number"'),
    (True, 'spec.duration: Invalid value: "boolean"'),
    (["1h"], 'spec.duration: Invalid value: "array"'),
    ({"hours": 1}, 'spec.duration: Invalid value: "object"'),
]
HONEST_DURATIONS = ("1h", "90m", "1.5h", "1h30m", "3600s", "0.25h45m", "3600000ms", "001h", "0s1h")


def rehearses(**spec: Any) -> How:
    """Ask without asking: what the schema says is the same, and the operator is left alone."""
    return lambda scene, me: me.create(REQUESTS, scene.stage.manifest(me.name, **spec), dryRun="All")


def durations() -> Iterator[Attempt]:
    for number, (duration, refusal) in enumerate(DURATIONS):
        honest = HONEST_DURATIONS[number % len(HONEST_DURATIONS)]
        yield Attempt(
            f"a duration of {ascii(duration)[:40]}",
            "alice",
            rehearses(duration=duration),
            refusal,
            rehearses(duration=honest),
            status=422,
        )


@table(
    Attempt("somebody in no policy asks", "mallory", forged("mallory"), cannot("create"), as_oneself, twin_who="alice"),
    Attempt(
        "somebody who may create, but not ask", "trent", as_oneself, refusals.may_not_request("two"), as_oneself, twin_who="alice"
    ),
    Attempt(
        "under a policy that never was",
        "alice",
        creates(policyRef={"name": "never"}),
        refusals.may_not_request("never"),
        as_oneself,
    ),
    Attempt(
        "under a policy that is not Ready",
        "alice",
        creates(policyRef={"name": "unready"}),
        refusals.may_not_request("unready"),
        as_oneself,
    ),
    *(
        Attempt(
            f"for a role of apiGroup {group!r}",
            "alice",
            creates(roleRef={"apiGroup": group, "kind": "ClusterRole", "name": "view"}),
            f"spec.roleRef.apiGroup: {refusal}",
            creates(roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"}),
            status=422,
        )
        for group, refusal in (
            ("jitaccess.dev", 'Unsupported value: "jitaccess.dev": supported values: "", "rbac.authorization.k8s.io"'),
            ("rbac.authorization.k8s.io/v1", 'Unsupported value: "rbac.authorization.k8s.io/v1"'),
            (7, 'Invalid value: "integer"'),
        )
    ),
    Attempt(
        "under a policy for others",
        "alice",
        creates(policyRef={"name": "robots"}),
        refusals.may_not_request("robots"),
        as_oneself,
    ),
    Attempt(
        "under the prefix of a policy", "alice", creates(policyRef={"name": "tw"}), refusals.may_not_request("tw"), as_oneself
    ),
    Attempt("the operator asks in another's name", "operator", forged("alice"), refusals.NOT_YOU, as_oneself, twin_who="alice"),
    Attempt(
        "a robot asks in its short name",
        "robot",
        creates(policyRef={"name": "robots"}, requester="robot"),
        refusals.NOT_YOU,
        creates(policyRef={"name": "robots"}),
    ),
    Attempt(
        "as a member of a group that one is not in", "alice", of("system:masters", *GROUPS), refusals.NOT_YOUR_GROUPS, of(*GROUPS)
    ),
    Attempt("as a member of fewer groups", "alice", of("developers"), refusals.NOT_YOUR_GROUPS, of(*GROUPS)),
    Attempt("as a member of no group", "alice", of(), refusals.NOT_YOUR_GROUPS, of(*reversed(GROUPS))),
    Attempt("as a member of others' groups", "alice", of("leads", "system:authenticated"), refusals.NOT_YOUR_GROUPS, as_oneself),
    Attempt("nobody's name", "alice", creates(**OWN), refusals.NOT_YOU, in_own_name, only="by hand"),
    Attempt("in another's name by server-side apply", "alice", applied("bob"), refusals.NOT_YOU, applied("{me}")),
    Attempt("in another's name without asking (dry run)", "alice", dry_run("bob"), refusals.NOT_YOU, dry_run("{me}")),
    Attempt("in another's name under a generated name", "alice", generated("bob"), refusals.NOT_YOU, generated("{me}")),
    Attempt(
        "two names in one JSON object, the last another's",
        "alice",
        twice_in_json("{me}", "bob"),
        refusals.NOT_YOU,
        twice_in_json("bob", "{me}"),
    ),
    Attempt(
        "with Impersonate-User",
        "mallory",
        acting_as(Impersonate_User="alice"),
        cannot("impersonate-on:user-info:create"),
        as_oneself,
        twin_who="alice",
    ),
    Attempt(
        "with Impersonate-Group",
        "erin@example.com",
        acting_as(Impersonate_User="erin@example.com", Impersonate_Group="leads"),
        cannot("impersonate-on:user-info:create"),
        as_oneself,
    ),
    Attempt("without a valid token", "alice", without_token, "Unauthorized", as_oneself, status=401),
    Attempt(
        "already approved",
        "alice",
        creates_with(annotations={"jitaccess.dev/approvals": "bob: ok"}),
        refusals.already_decided("jitaccess.dev/approvals"),
        creates_with(annotations={"ticket": "INC-42"}),
    ),
    Attempt(
        "already denied",
        "alice",
        creates_with(annotations={"jitaccess.dev/denials": "bob: no"}),
        refusals.already_decided("jitaccess.dev/denials"),
        creates_with(annotations={}),
    ),
    Attempt(
        "with an empty ledger",
        "alice",
        creates_with(annotations={"jitaccess.dev/approvals": ""}),
        refusals.already_decided("jitaccess.dev/approvals"),
        creates_with(annotations=None),
    ),
    Attempt(
        "with a comfort annotation for the next approver to turn into an approval",
        "alice",
        creates_with(annotations={"jitaccess.dev/approve": "ok"}),
        refusals.already_decided("jitaccess.dev/approve"),
        creates_with(annotations={"approved-in": "the meeting"}),
    ),
    Attempt(
        "with a revocation of one's own",
        "alice",
        creates_with(annotations={"jitaccess.dev/revocations": "alice: x"}),
        refusals.already_decided("jitaccess.dev/revocations"),
        as_oneself,
    ),
    Attempt(
        "with one of our labels",
        "alice",
        creates_with(labels={"jitaccess.dev/component": "grant"}),
        refusals.already_decided("jitaccess.dev/component"),
        creates_with(labels={"team": "a"}),
    ),
    lookalikes(),
    Attempt(
        "with a finalizer",
        "alice",
        creates_with(finalizers=["example.com/forever"]),
        refusals.NO_OWNERS_YET,
        creates_with(finalizers=[]),
    ),
    Attempt(
        "with the garbage collector's finalizer",
        "alice",
        creates_with(finalizers=["foregroundDeletion"]),
        refusals.NO_OWNERS_YET,
        as_oneself,
    ),
    Attempt(
        "with an owner",
        "alice",
        creates_with(ownerReferences=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "1"}]),
        refusals.NO_OWNERS_YET,
        creates_with(ownerReferences=[]),
    ),
    Attempt(
        "with annotations that fill the room for decisions",
        "alice",
        creates_with(annotations={f"note{n}": "x" * 8187 for n in range(4)} | {"n": ""}),
        refusals.TOO_MUCH,
        creates_with(annotations={f"note{n}": "x" * 8187 for n in range(4)}),
    ),
    Attempt(
        "with annotations that fill the room for decisions by characters of four bytes",
        "alice",
        creates_with(annotations={"note": "\U0001f642" * 8192}),
        refusals.TOO_MUCH,
        creates_with(annotations={"note": "\U0001f642" * 8191}),
    ),
    Attempt(
        "with an annotation that is too long",
        "alice",
        creates_with(annotations={"note": "x" * 8193}),
        refusals.unclear_when_made("note"),
        creates_with(annotations={"note": "x" * 8192}),
    ),
    Attempt(
        "with 33 annotations",
        "alice",
        creates_with(annotations={f"a{n}": "" for n in range(33)}),
        refusals.TOO_MUCH,
        creates_with(annotations={f"a{n}": "" for n in range(32)}),
    ),
    Attempt(
        "with 33 labels",
        "alice",
        creates_with(labels={f"a{n}": "" for n in range(33)}),
        refusals.TOO_MUCH,
        creates_with(labels={f"a{n}": "" for n in range(32)}),
    ),
    Attempt(
        "a duration that YAML takes for a number",
        "alice",
        in_yaml("3600"),
        ".spec.duration: expected string, got",
        in_yaml("1h"),
        status=500,
    ),
    Attempt(
        "a duration that YAML takes for a truth",
        "alice",
        in_yaml("yes"),
        ".spec.duration: expected string, got",
        in_yaml("'60m'"),
        status=500,
    ),
    Attempt("a duration in base 60", "alice", in_yaml("1:30"), "spec.duration", in_yaml("1h30m"), status=422),
    Attempt("a name of 254 characters", "alice", named("n" * 254), "metadata.name: Invalid value", named("n" * 253), status=422),
    Attempt("a name with a colon", "alice", named("a:b"), "metadata.name: Invalid value", named("a.b"), status=422),
    Attempt("a name with a line break", "alice", named("a\nb"), "metadata.name: Invalid value", named("a-b"), status=422),
    Attempt("a name with a capital", "alice", named("Alpha"), "metadata.name: Invalid value", named("alpha"), status=422),
    Attempt(
        "a name like alpha in Cyrillic",
        "alice",
        named("\u0430lpha2"),
        "metadata.name: Invalid value",
        named("alpha2"),
        status=422,
    ),
    Attempt("a name of two dots", "alice", named(".."), "metadata.name: Invalid value", named("dots"), status=422),
    forgeries(),
    malformed(),
    durations(),
)
def test_is_refused_for_the_stated_reason_and_the_honest_twin_succeeds(attempt: Attempt, stage: Theatre) -> None:
    play(attempt, stage)


@pytest.mark.parametrize(
    ("spec", "reason", "message"),
    [
        pytest.param(
            {"roleRef": {"kind": "ClusterRole", "name": "edit"}},
            "RoleNotOffered",
            "AccessPolicy two does not offer ClusterRole edit; it offers ClusterRole view",
            id="a role that is not offered",
        ),
        pytest.param(
            {"roleRef": {"kind": "ClusterRole", "name": "View"}},
            "RoleNotOffered",
            "AccessPolicy two does not offer ClusterRole View; it offers ClusterRole view",
            id="a role with a capital",
        ),
        pytest.param(
            {"roleRef": {"kind": "ClusterRole", "name": "view "}},
            "RoleNotOffered",
            "AccessPolicy two does not offer ClusterRole view ; it offers ClusterRole view",
            id="a role with a space",
        ),
        pytest.param(
            {"roleRef": {"kind": "Role", "name": "view"}},
            "RoleNotOffered",
            "AccessPolicy two does not offer Role view; it offers ClusterRole view",
            id="a Role of the name of a ClusterRole",
        ),
        pytest.param(
            {"duration": "4h1ms"},
            "DurationTooLong",
            "AccessPolicy two allows at most 4h, not 4h0.001s",
            id="a millisecond too long",
        ),
        pytest.param({"duration": "720h"}, "DurationTooLong", "AccessPolicy two allows at most 4h, not 720h", id="a month"),
    ],
)
def test_what_only_the_operator_can_see_is_denied_by_it(stage: Theatre, spec: dict[str, Any], reason: str, message: str) -> None:
    name, honest = stage.request(**spec), stage.request(duration="4h")
    stage.until(name, "Denied")
    found = stage.condition(name, "Denied")
    assert (found["status"], found["reason"], found["message"]) == ("True", reason, message)
    stage.until(honest, "Pending")


@pytest.mark.parametrize(
    ("tampered", "look"),
    [
        pytest.param(
            {"status": {"state": "Active", "settled": False}},
            lambda made: made["status"] == {"observedGeneration": -1},
            id="a status",
        ),
        pytest.param(
            {"metadata": {"Annotations": {"jitaccess.dev/approvals": "bob: ok"}}},
            lambda made: "annotations" not in made["metadata"],
            id="annotations with a capital",
        ),
        pytest.param(
            {"metadata": {"uid": "00000000-0000-0000-0000-000000000000"}},
            lambda made: not made["metadata"]["uid"].startswith("00000000-"),
            id="a UID of one's own",
        ),
        pytest.param(
            {"metadata": {"creationTimestamp": "2100-01-01T00:00:00Z"}},
            lambda made: made["metadata"]["creationTimestamp"] < "2099",
            id="a birthday in the future",
        ),
        pytest.param(
            {"metadata": {"deletionTimestamp": "2100-01-01T00:00:00Z"}},
            lambda made: "deletionTimestamp" not in made["metadata"],
            id="a deletion time",
        ),
        pytest.param({"metadata": {"generation": 99}}, lambda made: made["metadata"]["generation"] == 1, id="a generation"),
        pytest.param(
            {"spec": {"approved": True, "grantedAt": "2020-01-01T00:00:00Z"}},
            lambda made: "approved" not in made["spec"],
            id="fields that are not there",
        ),
    ],
)
def test_what_is_not_for_people_to_write_is_dropped(stage: Theatre, tampered: dict[str, Any], look: Any) -> None:
    manifest = stage.manifest("alice")
    for part, values in tampered.items():
        manifest[part] = {**manifest.get(part, {}), **values}
    made = Stage.sure(stage.person("alice").create(REQUESTS, manifest))
    assert look(made), made
    assert stage.until(made["metadata"]["name"], "Pending")["settled"] is False


def test_a_policy_is_not_asked_before_it_is_there_nor_after_it_is_gone(stage: Theatre) -> None:
    alice = stage.person("alice")
    early = alice.create(REQUESTS, stage.manifest("alice", policyRef={"name": "brief"}))
    assert early.message.endswith(refusals.may_not_request("brief").format(me="alice", namespace=stage.namespace))
    stage.policy("brief")
    waiting = stage.request(policyRef={"name": "brief"})
    Stage.sure(stage.admin.delete(POLICIES, "brief"))
    assert stage.until(waiting, "Denied")["conditions"]
    assert stage.condition(waiting, "Denied")["reason"] == "PolicyNotFound"
    late = alice.create(REQUESTS, stage.manifest("alice", policyRef={"name": "brief"}))
    assert late.message.endswith(refusals.may_not_request("brief").format(me="alice", namespace=stage.namespace))


def test_known_people_are_who_they_say(stage: Theatre) -> None:
    for who in ("alice", "erin@example.com", "robot", "operator"):
        person = known(stage, who)
        review = person.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {})
        assert Stage.sure(review)["status"]["userInfo"]["username"] == person.name


@on_both()
def test_the_groups_of_the_requester_are_on_record_where_the_api_server_says_them(stage: Theatre) -> None:
    spec = stage.get(stage.request())["spec"]
    assert spec.get("requesterGroups") == (list(GROUPS) if stage.stamped else None)


@pytest.mark.parametrize("stage", [STAMPED], indirect=True, scope="session")
@pytest.mark.parametrize(
    ("group", "more", "kept"),
    [
        pytest.param("g" * 253, 125, True, id="as-long-and-as-many-as-there-may-be"),
        pytest.param("g" * 254, 0, False, id="one-too-long"),
        pytest.param("g", 126, False, id="one-too-many"),
        pytest.param("blank\N{ZERO WIDTH SPACE}", 0, False, id="one-that-cannot-be-shown"),
        pytest.param("o" + "\N{COMBINING DIAERESIS}" * 5, 0, False, id="one-under-marks"),
    ],
)
def test_groups_are_on_record_all_or_none_and_never_keep_anybody_from_asking(
    stage: Theatre, group: str, more: int, kept: bool
) -> None:
    groups = ["developers", group, *(f"g-{n}" for n in range(more))]
    done = subprocess.run(
        [
            str(stage.plane.binaries["kubectl"]), "--kubeconfig", str(stage.plane.kubeconfig("admin", namespace=stage.namespace)),
            "create", "-f", "-", "-o", "json", "--as", "alice", *(f"--as-group={each}" for each in groups),
        ],
        input=json.dumps(stage.manifest("alice")),
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["spec"].get("requesterGroups") == ([*groups, "system:authenticated"] if kept else None)
