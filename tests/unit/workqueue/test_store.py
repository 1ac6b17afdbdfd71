"""What the operator remembers of open requests: a few slots each, and nothing of settled ones."""

from dataclasses import replace

import pytest

from jitaccess.domain.model import Key
from jitaccess.domain.recorded import State
from jitaccess.workqueue.store import Open, Store, version_of
from unit.examples import KEY, POLICY_KEY, UID, VIEW, active_status, policy, request

OTHER = Key("team-a", "another")


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
    """Whether it is news after version 10 was seen."""
    store = Store()
    store.see(request())
    return store.see(replace(request(uid=uid), resource_version=version))


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
    store = Store()
    assert store.see(request())
    assert store.get(KEY) == Open(UID, 10, POLICY_KEY, VIEW, active=False)
    assert not hasattr(store.get(KEY), "__dict__"), "slots, never bodies"
    assert store.requests() == [(KEY, Open(UID, 10, POLICY_KEY, VIEW, active=False))]


def test_the_echo_of_our_own_write_is_no_news() -> None:
    store = Store()
    store.see(request())
    store.remember(request(), "12", State.ACTIVE)
    known = store.get(KEY)
    assert known
    assert known.active
    assert not store.see(replace(request(status=active_status()), resource_version="12"))
    assert store.see(replace(request(status=active_status()), resource_version="13"))


@pytest.mark.parametrize("state", [state for state in State if state.settled])
def test_settled_requests_are_forgotten(state: State) -> None:
    store = Store()
    store.see(request())
    store.remember(request(), "12", state)
    assert (store.get(KEY), len(store), list(store.under(POLICY_KEY))) == (None, 0, [])


def test_forgetting_twice_or_what_was_never_there_is_nothing() -> None:
    store = Store()
    store.see(request())
    store.forget(OTHER)
    store.forget(KEY)
    store.forget(KEY)
    assert len(store) == 0


def test_requests_are_found_by_their_policy() -> None:
    store = Store()
    store.see(request())
    store.see(request(name="another", uid="u2"))
    store.see(request(name="third", uid="u3", policyRef={"name": "other-policy"}))
    assert sorted(store.under(POLICY_KEY)) == [KEY, OTHER]
    assert list(store.under(Key("team-b", "prod-debug"))) == [], "a policy of the same name elsewhere is another"
    for key in store.under(POLICY_KEY):
        store.forget(key)
    assert list(store.under(POLICY_KEY)) == []
    assert len(store) == 1


def test_a_request_made_again_under_another_policy_is_found_under_that_one_only() -> None:
    store, other, again = Store(), Key("team-a", "other-policy"), request(uid="u2", policyRef={"name": "other-policy"})
    store.see(request())
    assert store.see(again)
    known = store.get(KEY)
    assert known
    assert known.uid == UID, "the access of the first must end first, and for that it must be known"
    store.remember(again, again.resource_version, again.state)
    assert (list(store.under(other)), list(store.under(POLICY_KEY))) == ([KEY], [])
    store.forget(KEY)
    assert (list(store.under(other)), len(store)) == ([], 0)


def test_policies_are_news_once_for_each_version() -> None:
    store = Store()
    versions = ("5", "5", "4", "6", "opaque", "7")
    seen = [store.see_policy(policy(metadata={"resourceVersion": version})) for version in versions]
    assert seen == [True, False, False, True, True, True]
    known = store.policy(POLICY_KEY)
    assert known
    assert (known.resource_version, store.policies()) == ("7", [POLICY_KEY])


def test_a_policy_that_is_gone_is_forgotten() -> None:
    store = Store()
    store.see_policy(policy())
    store.forget_policy(POLICY_KEY)
    store.forget_policy(POLICY_KEY)
    assert (store.policy(POLICY_KEY), store.policies()) == (None, [])
    assert store.see_policy(policy()), "made again, it is news again"


def test_what_the_watch_told_is_taken_once() -> None:
    store = Store()
    told = request()
    store.see(told)
    assert (store.take(KEY), store.take(KEY)) == (told, None)


@pytest.mark.parametrize("state", [State.EXPIRED, State.DENIED])
def test_what_the_watch_told_goes_when_the_request_is_settled(state: State) -> None:
    store = Store()
    store.see(request())
    store.remember(request(), "12", state)
    assert store.take(KEY) is None, "bodies must not pile up"


def test_an_echo_is_nothing_to_take() -> None:
    store = Store()
    store.remember(request(), "12", State.PENDING)
    store.see(replace(request(), resource_version="12"))
    assert store.take(KEY) is None
