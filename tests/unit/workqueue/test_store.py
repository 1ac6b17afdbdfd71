"""What the operator remembers of open requests: a few slots each, and nothing of settled ones."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from jitaccess.domain.model import Decision, Key, PolicyRef
from jitaccess.domain.recorded import Condition, Recorded, State
from jitaccess.manifests.resources import POLICIES, REQUESTS
from jitaccess.workqueue.policies import Policies
from jitaccess.workqueue.store import Open, Requests, Store, facts_of, waits_for_us
from jitaccess.workqueue.versions import version_of
from unit.examples import ALICE, BOB, KEY, POLICY_KEY, POLICY_REF, T0, UID, VIEW, active_status, approved_by, policy, request

OTHER = Key("team-a", "another")
BY_BOB = (Decision(BOB, "ok"),)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("42", 42, id="a-number"),
        pytest.param("18446744073709551616", 2**64, id="a-very-large-one"),
        pytest.param("", -1, id="nothing"),
        pytest.param("opaque", -1, id="words"),
        pytest.param("-5", -1, id="negative"),
        pytest.param("1.5", -1, id="fraction"),
    ],
)
def test_versions_are_compared_as_numbers(text: str, number: int) -> None:
    assert version_of(text) == number


def at_version(version: str, uid: str = UID) -> bool:
    """Whether it is news, with an approval in it, after version 10 was seen without."""
    store = Requests()
    store.see(request())
    return store.see(replace(request(uid=uid, approvals=approved_by(BOB)), resource_version=version))


@pytest.mark.parametrize(
    ("version", "uid", "news"),
    [
        pytest.param("11", UID, True, id="newer-is-news"),
        pytest.param("100", UID, True, id="newer-by-number-not-by-letter"),
        pytest.param("10", UID, False, id="the-same-is-an-echo"),
        pytest.param("9", UID, False, id="older-is-late"),
        pytest.param("opaque", UID, True, id="what-cannot-be-compared-is-news"),
        pytest.param("9", "another", True, id="another-object-of-that-name-is-news"),
    ],
)
def test_only_news_is_news(version: str, uid: str, news: bool) -> None:
    assert at_version(version, uid) is news


def test_a_request_is_remembered_in_a_few_slots() -> None:
    store = Requests()
    assert store.see(request())
    expected = Open(UID, 10, POLICY_REF, VIEW, active=False, facts=facts_of(request()), waits=True, asked=T0, requester=ALICE)
    assert store.get(KEY) == expected
    assert not hasattr(store.get(KEY), "__dict__"), "slots, never bodies"
    assert store.all() == [(KEY, expected)]


@pytest.mark.parametrize(
    ("on_it", "waits"),
    [
        pytest.param({}, True, id="never-looked-at"),
        pytest.param({"recorded": Recorded(generation=-1)}, True, id="never-looked-at-by-the-default-of-its-crd"),
        pytest.param({"recorded": Recorded(revision=1)}, False, id="waits-for-its-approvers"),
        pytest.param({"recorded": Recorded(revision=1), "approvals": BY_BOB}, True, id="approved"),
        pytest.param({"recorded": Recorded(revision=1), "denials": BY_BOB}, True, id="denied"),
        pytest.param({"recorded": Recorded(revision=2, state=State.ACTIVE), "approvals": BY_BOB}, False, id="active"),
        pytest.param({"recorded": Recorded(revision=2, state=State.ACTIVE), "revocations": BY_BOB}, True, id="revoked"),
        pytest.param(
            {"recorded": Recorded(revision=1, conditions=(Condition("Granted", "False", "RoleNotFound", ""),))},
            True,
            id="held-up",
        ),
    ],
)
def test_what_waits_for_the_operator_can_be_seen_on_the_request(on_it: dict[str, Any], waits: bool) -> None:
    assert waits_for_us(replace(request(), **on_it)) is waits


def test_the_echo_of_our_own_write_is_no_news() -> None:
    store = Requests()
    store.see(request())
    written = request(status=active_status())
    store.remember(written, "12", State.ACTIVE)
    known = store.get(KEY)
    assert known
    assert known.active
    assert not store.see(replace(written, resource_version="12"))
    assert store.see(replace(request(status=active_status(), revocations=approved_by(ALICE)), resource_version="13"))


@pytest.mark.parametrize(
    ("changed", "news"),
    [
        pytest.param({}, False, id="only-its-version"),
        pytest.param({"metadata": {"annotations": {"x.dev/touched": "1"}}}, False, id="an-annotation-of-somebody-else"),
        pytest.param({"metadata": {"labels": {"x": "y"}}}, False, id="a-label"),
        pytest.param({"approvals": approved_by(BOB)}, True, id="an-approval"),
        pytest.param({"denials": approved_by(BOB)}, True, id="a-denial"),
        pytest.param({"revocations": approved_by(ALICE)}, True, id="a-revocation"),
        pytest.param({"metadata": {"deletionTimestamp": "2026-07-01T02:10:00Z"}}, True, id="its-deletion"),
        pytest.param({"status": {"revision": 2, "state": "Pending"}}, True, id="a-record-by-another-replica"),
    ],
)
def test_a_churner_makes_no_news(changed: dict[str, Any], news: bool) -> None:
    store = Requests()
    store.see(request())
    churned = request(**{"metadata": {}} | changed)
    assert store.take(KEY), "the first event"
    assert store.see(replace(churned, resource_version="11")) is news
    assert (store.take(KEY) is not None) is news


def test_who_never_looks_keeps_no_bodies() -> None:
    store = Requests()
    assert store.see(request(), hint=False)
    assert store.take(KEY) is None


def test_the_uid_of_a_binding_is_kept_over_records_of_the_same_request() -> None:
    store = Requests()
    store.see(request())
    store.bound(KEY, "b-1")
    store.remember(request(), "12", State.ACTIVE)
    known = store.get(KEY)
    assert known
    assert known.binding == "b-1"
    store.remember(request(uid="another"), "13", State.PENDING)
    known = store.get(KEY)
    assert known
    assert known.binding == "", "another request of the name has another binding"


def test_the_last_word_on_a_deleted_request_is_kept_until_it_is_forgotten() -> None:
    store = Requests()
    store.see(request())
    store.see_deleted(request())
    assert store.deleted(KEY) == request()
    store.forget(KEY)
    assert store.deleted(KEY) is None


@pytest.mark.parametrize("state", [state for state in State if state.settled])
def test_settled_requests_are_forgotten(state: State) -> None:
    store = Requests()
    store.see(request())
    store.remember(request(), "12", state)
    assert (store.get(KEY), len(store), list(store.under(POLICY_REF))) == (None, 0, [])


def test_forgetting_twice_or_what_was_never_there_is_nothing() -> None:
    store = Requests()
    store.see(request())
    store.forget(OTHER)
    store.forget(KEY)
    store.forget(KEY)
    assert len(store) == 0


def test_requests_are_found_by_their_policy() -> None:
    store = Requests()
    store.see(request())
    store.see(request(name="another", uid="u2"))
    store.see(request(name="third", uid="u3", policyRef={"name": "other-policy"}))
    assert sorted(store.under(POLICY_REF)) == [KEY, OTHER]
    assert list(store.under(PolicyRef("AccessPolicy", Key("team-b", "prod-debug")))) == [], (
        "a policy of the same name elsewhere is another"
    )
    for key in store.under(POLICY_REF):
        store.forget(key)
    assert list(store.under(POLICY_REF)) == []
    assert len(store) == 1


def test_a_request_made_again_under_another_policy_is_found_under_that_one_only() -> None:
    store, other = Requests(), PolicyRef("AccessPolicy", Key("team-a", "other-policy"))
    again = request(uid="u2", policyRef={"name": "other-policy"})
    store.see(request())
    assert store.see(again)
    known = store.get(KEY)
    assert known
    assert known.uid == UID, "the access of the first must end first, and for that it must be known"
    store.remember(again, again.resource_version, again.state)
    assert (list(store.under(other)), list(store.under(POLICY_REF))) == ([KEY], [])
    store.forget(KEY)
    assert (list(store.under(other)), len(store)) == ([], 0)


def test_policies_are_news_once_for_each_version() -> None:
    policies = Policies()
    versions = ("5", "5", "4", "6", "opaque", "7")
    seen = [policies.see(policy(metadata={"resourceVersion": version})) for version in versions]
    assert seen == [True, False, False, True, True, True]
    known = policies.get(POLICY_KEY)
    assert known
    assert (known.resource_version, policies.all()) == ("7", [POLICY_KEY])


def test_a_policy_that_is_gone_is_forgotten() -> None:
    policies = Policies()
    policies.see(policy())
    policies.forget(POLICY_KEY)
    policies.forget(POLICY_KEY)
    assert (policies.get(POLICY_KEY), policies.all()) == (None, [])
    assert policies.see(policy()), "recreated, it is news again"


def test_requests_and_policies_are_kept_by_kind() -> None:
    store = Store([REQUESTS], [POLICIES])
    store.requests[REQUESTS].see(request())
    store.policies[POLICIES].see(policy())
    assert list(store.under(POLICY_REF)) == [(REQUESTS, KEY)]
    assert store.policy(POLICY_REF) == policy()
    assert store.policy(PolicyRef("ClusterAccessPolicy", POLICY_KEY)) is None, "another kind of policy of the same name"


def test_what_the_watch_told_is_taken_once() -> None:
    store = Requests()
    told = request()
    store.see(told)
    assert (store.take(KEY), store.take(KEY)) == (told, None)


@pytest.mark.parametrize("state", [State.EXPIRED, State.DENIED])
def test_what_the_watch_told_goes_when_the_request_is_settled(state: State) -> None:
    store = Requests()
    store.see(request())
    store.remember(request(), "12", state)
    assert store.take(KEY) is None, "bodies must not pile up"


def test_an_echo_is_nothing_to_take() -> None:
    store = Requests()
    store.remember(request(), "12", State.PENDING)
    store.see(replace(request(approvals=approved_by(BOB)), resource_version="12"))
    assert store.take(KEY) is None


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What the clock says by which the store counts how long something took."""
    now = [1000.0]
    monkeypatch.setattr("jitaccess.workqueue.store.monotonic", lambda: now[0])
    return now


def test_how_long_a_binding_took_counts_from_the_last_news_and_is_told_once(seconds: list[float]) -> None:
    store = Requests()
    store.see(request())
    seconds[0] += 500
    store.see(replace(request(approvals=approved_by(BOB)), resource_version="11"))
    seconds[0] += 2
    assert (store.answered(KEY), store.answered(KEY)) == (2.0, None)


def test_what_is_read_or_written_meanwhile_moves_no_beginning(seconds: list[float]) -> None:
    store = Requests()
    store.see(request())
    seconds[0] += 3
    store.remember(request(), "11", State.PENDING)
    store.remember(request(status=active_status()), "12", State.ACTIVE)
    assert store.answered(KEY) == 3.0


@pytest.mark.parametrize(
    "see",
    [
        pytest.param(lambda _: None, id="unknown"),
        pytest.param(lambda store: store.remember(request(), "10", State.PENDING), id="never-heard-of"),
        pytest.param(lambda store: store.see(request(status=active_status()), hint=False), id="granted-by-another-replica"),
    ],
)
def test_where_the_beginning_is_not_known_nothing_is_told(seconds: list[float], see: Callable[[Requests], object]) -> None:
    store = Requests()
    see(store)
    seconds[0] += 5
    assert store.answered(KEY) is None
