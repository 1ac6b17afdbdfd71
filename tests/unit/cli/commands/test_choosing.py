"""What is inferred when words are left out."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jitaccess.cli.api.errors import UsageError
from jitaccess.cli.commands.choosing import (
    ambiguity,
    chosen_duration,
    chosen_start,
    continued_reason,
    matching,
    offers,
    parse_name,
    parse_role,
    request_name,
)
from jitaccess.cli.commands.wishes import Wish
from jitaccess.domain.model import AccessPolicy, Key, PolicyRef, RoleRef
from unit.examples import request

VIEW, EDIT, READER = RoleRef("ClusterRole", "view"), RoleRef("ClusterRole", "edit"), RoleRef("Role", "view")


def policy(name: str, *roles: RoleRef, hours: float = 4) -> AccessPolicy:
    return AccessPolicy(
        PolicyRef("AccessPolicy", Key("team-a", name)),
        "u",
        "1",
        1,
        datetime(2026, 6, 1, tzinfo=UTC),
        roles,
        (),
        (),
        1,
        max_duration=timedelta(hours=hours),
        pending_timeout=timedelta(hours=24),
    )


@pytest.mark.parametrize(
    ("user", "stem"),
    [
        ("alice", "alice"),
        ("alice@example.com", "alice"),
        ("Alice.Smith@example.com", "alice-smith"),
        ("system:serviceaccount:ci:deployer", "deployer"),
        ("oidc:bob", "bob"),
        ("名前", "request"),
        ("-._", "request"),
        ("a" * 253, "a" * 40),
    ],
)
def test_the_name_of_a_request_tells_whose_it_is(user: str, stem: str) -> None:
    assert re.fullmatch(re.escape(stem) + "-[bcdfghjklmnpqrstvwxz2456789]{4}", request_name(user))


def test_names_differ() -> None:
    assert len({request_name("alice") for _ in range(50)}) > 45


@pytest.mark.parametrize(
    ("name", "role", "found"),
    [
        pytest.param("", None, [("one", VIEW)], id="one-policy-with-one-role-needs-no-words"),
        pytest.param("one", "view", [("one", VIEW)], id="both-named"),
    ],
)
def test_the_only_choice_is_the_choice(name: str, role: str | None, found: list[tuple[str, RoleRef]]) -> None:
    chosen = offers([policy("one", VIEW)], name, parse_role(role) if role else None)
    assert [(p.key.name, r) for p, r in chosen] == found


def test_a_role_chooses_the_policy_that_offers_it() -> None:
    chosen = offers([policy("one", VIEW), policy("two", EDIT)], "", parse_role("edit"))
    assert [(p.key.name, r) for p, r in chosen] == [("two", EDIT)]


def test_a_role_that_nobody_offers_is_answered_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"no policy that you may use offers admin: one offers ClusterRole view"):
        offers([policy("one", VIEW)], "", parse_role("admin"))


def test_an_open_choice_names_the_words_that_are_missing() -> None:
    two = [policy("one", VIEW), policy("two", EDIT)]
    assert "say which, one or two" in ambiguity(offers(two, "", None)).message
    several = [policy("one", VIEW, EDIT)]
    assert "--role view or --role edit" in ambiguity(offers(several, "", None)).message
    twins = [policy("one", VIEW, READER)]
    assert "--role ClusterRole/view or --role Role/view" in ambiguity(offers(twins, "", None)).message


def test_a_role_may_be_named_with_its_kind() -> None:
    assert matching(parse_role("role/view"), [VIEW, READER]) == [READER]
    assert matching(parse_role("view"), [VIEW, READER]) == [VIEW, READER]
    with pytest.raises(UsageError):
        parse_role("pod/view")


@pytest.mark.parametrize(
    ("asked", "longest", "got"),
    [
        pytest.param("", 4, timedelta(hours=1), id="an-hour-without-words"),
        pytest.param("", 0.5, timedelta(minutes=30), id="or-the-longest-if-that-is-shorter"),
        pytest.param("90m", 4, timedelta(minutes=90), id="as-asked"),
        pytest.param("4h", 4, timedelta(hours=4), id="exactly-the-longest"),
    ],
)
def test_durations(asked: str, longest: float, got: timedelta) -> None:
    assert chosen_duration(asked, policy("one", VIEW, hours=longest)) == got


@pytest.mark.parametrize("asked", ["5h", "1d", "2 days", "-1h", "0s", "P1D", "1h\n"])
def test_durations_that_nobody_can_have(asked: str) -> None:
    with pytest.raises(UsageError):
        chosen_duration(asked, policy("one", VIEW))


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("r1", Key("team-a", "r1")),
        ("accessrequest/r1", Key("team-a", "r1")),
        ("accessrequest.jitaccess.dev/r1", Key("team-a", "r1")),
        ("areq/r1", Key("team-a", "r1")),
        ("team-b/r1", Key("team-b", "r1")),
        ("clusteraccessrequest/r1", Key("", "r1")),
        ("clusteraccessrequest.jitaccess.dev/r1", Key("", "r1")),
        ("careq/r1", Key("", "r1")),
    ],
)
def test_names_are_read_as_people_copy_them(text: str, key: Key) -> None:
    assert parse_name(text, "team-a") == key


@pytest.mark.parametrize("text", ["/r1", "team-b/", "a/b/c"])
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_name(text, "team-a")


def test_a_continued_request_keeps_the_first_reason() -> None:
    once = continued_reason(request(), "INC-42")
    assert once == "extends alice-7f3k: INC-42"
    assert continued_reason(request(name="alice-9xzz"), once) == "extends alice-9xzz: INC-42"
    assert len(continued_reason(request(), "x" * 1024)) == 1024


@pytest.mark.parametrize(
    ("state", "words"),
    [
        pytest.param("Revoked", ", which was revoked", id="revoked"),
        pytest.param("Denied", ", which was denied", id="denied"),
        pytest.param("Withdrawn", ", which was withdrawn", id="withdrawn"),
        pytest.param("Expired", "", id="expired-in-its-time"),
        pytest.param("Active", "", id="still-running"),
    ],
)
def test_a_request_that_continues_one_that_was_cut_short_says_so(state: str, words: str) -> None:
    once = continued_reason(request(status={"state": state}), "INC-42")
    assert once == f"extends alice-7f3k{words}: INC-42"
    assert continued_reason(request(name="alice-9xzz"), once) == "extends alice-9xzz: INC-42"


def test_a_request_for_the_whole_cluster_is_of_another_kind_and_in_no_namespace() -> None:
    under = replace(policy("wide"), ref=PolicyRef("ClusterAccessPolicy", Key("", "wide")))
    manifest = Wish(under, VIEW, timedelta(hours=1), "why").manifest(Key("", "r1"), "alice")
    assert manifest["kind"] == "ClusterAccessRequest"
    assert manifest["metadata"] == {"name": "r1"}
    assert manifest["spec"]["policyRef"] == {"kind": "ClusterAccessPolicy", "name": "wide"}


def test_the_manifest_says_who_asks_so_that_it_works_without_stamping() -> None:
    manifest = Wish(policy("one"), VIEW, timedelta(minutes=90), "why").manifest(Key("team-a", "r1"), "alice")
    assert manifest["spec"] == {
        "policyRef": {"kind": "AccessPolicy", "name": "one"},
        "roleRef": {"kind": "ClusterRole", "name": "view"},
        "duration": "1h30m",
        "reason": "why",
        "requester": "alice",
    }


NOW = datetime(2026, 7, 1, 2, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "later", "start"),
    [
        pytest.param("", "", None, id="as soon as it is approved"),
        pytest.param("2026-07-01T08:00:00Z", "", NOW + timedelta(hours=5, minutes=50), id="a time as in RFC 3339"),
        pytest.param("2026-07-01T08:00+02:00", "", NOW + timedelta(hours=3, minutes=50), id="a time of another zone"),
        pytest.param("2026-07-01T08:00", "", NOW + timedelta(hours=3, minutes=50), id="a local time"),
        pytest.param("2026-12-01T08:00", "", NOW + timedelta(days=153, hours=4, minutes=50), id="a local time in winter"),
        pytest.param("", "3h", NOW + timedelta(hours=3), id="so much later"),
    ],
)
def test_a_start_is_a_time_or_a_while(monkeypatch: pytest.MonkeyPatch, at: str, later: str, start: datetime | None) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        assert chosen_start(at, later, NOW) == start
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("at", "later", "words"),
    [
        pytest.param("tonight", "", "'tonight' is no time: write it like 2026-07-01T08:00", id="no time"),
        pytest.param("2026-07-01T02:10:00Z", "", "2026-07-01T02:10:00Z is past", id="now"),
        pytest.param("2026-07-01T08:00:00Z", "3h", "--at and --in say the same", id="both"),
        pytest.param("", "soon", "'soon' is not a duration", id="no while"),
    ],
)
def test_a_start_that_is_none_is_refused(at: str, later: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)):
        chosen_start(at, later, NOW)


def test_a_request_says_when_it_is_to_begin() -> None:
    made = [
        Wish(policy("p"), VIEW, timedelta(hours=1), "y", start=start).manifest(Key("team-a", "x"), "z") for start in (None, NOW)
    ]
    assert [manifest["spec"].get("startTime") for manifest in made] == [None, "2026-07-01T02:10:00.000Z"]
