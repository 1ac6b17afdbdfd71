"""Policies that name channels which there are not: told once, and looked at until their condition says so."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from jitaccess.manifests.resources import POLICIES
from jitaccess.publish.events import News
from jitaccess.publish.notify.channels import Channel, Channels, channels_found
from jitaccess.publish.notify.unheard import LOOK_SECONDS, Unheard
from jitaccess.workqueue.schedule import Schedule, Target
from jitaccess.workqueue.store import Store
from unit.conftest import Now
from unit.examples import POLICY_KEY, empty_store, policy
from unit.held import HeldLoop

CHAT, GONE = Channels({"chat": Channel("chat")}), Channels({})
WISH: dict[str, Any] = {"notify": [{"channel": "chat", "when": ["Ended"]}]}
WORDS = "not everybody is told whom it names: there is no channel chat"
TARGET = Target(POLICIES, POLICY_KEY)


@dataclass
class Told:
    """Keeps what is to be told."""

    news: list[News] = field(default_factory=list)

    def tell(self, news: News) -> None:
        self.news.append(news)


@dataclass
class Ear:
    """What looks at policies, with all around it."""

    store: Store
    schedule: Schedule
    told: Told
    unheard: Unheard

    def sees(self, status: str = "", message: str = "", version: str = "5", generation: int = 3, **spec: Any) -> None:
        """The watch reports the policy, with what its condition says."""
        condition = {"type": "ChannelsFound", "status": status, "reason": "x", "message": message}
        recorded = {"observedGeneration": generation, "conditions": [condition] if status else []}
        found = policy(status=recorded, metadata={"resourceVersion": version}, **spec)
        self.store.policies[POLICIES].see(found)

    def looks(self, channels: Channels) -> bool:
        """Whether a look lets the policy be looked at again."""
        self.schedule.forget(TARGET)
        self.unheard.look(channels)
        return TARGET in self.schedule._news


async def never(_: Target) -> None:
    raise AssertionError("the clock does not run in these tests")


@pytest.fixture
def ear(now: Now) -> Ear:
    store, schedule, told = empty_store(), Schedule(never, now), Told()
    return Ear(store, schedule, told, Unheard(store, told, schedule))  # type: ignore[arg-type]


FOUND = ("True", "every channel that it names is there")


@pytest.mark.parametrize(
    ("spec", "recorded", "channels", "again"),
    [
        pytest.param(WISH, ("", ""), CHAT, True, id="nothing-is-said-yet"),
        pytest.param(WISH, FOUND, CHAT, False, id="said-already"),
        pytest.param(WISH, FOUND, GONE, True, id="the-channel-went"),
        pytest.param(WISH, ("False", WORDS), GONE, False, id="that-is-said-too"),
        pytest.param(WISH, ("False", WORDS), CHAT, True, id="and-came-back"),
        pytest.param({}, ("", ""), GONE, False, id="it-names-none"),
    ],
)
def test_a_policy_whose_condition_says_otherwise_is_looked_at(
    ear: Ear, spec: dict[str, Any], recorded: tuple[str, str], channels: Channels, again: bool
) -> None:
    ear.sees(*recorded, **spec)
    assert ear.looks(channels) is again
    found = channels_found(channels, next(iter(ear.store.policies[POLICIES].each())))
    assert (found.get("ChannelsFound", ("", "", ""))[0] != recorded[0]) is again


def test_one_that_is_to_be_looked_at_anyway_is_left_to_that(ear: Ear) -> None:
    ear.sees(generation=2, **WISH)
    assert not ear.looks(GONE)


def test_it_is_told_once_and_again_when_it_has_been_right_meanwhile(ear: Ear) -> None:
    ear.sees(**WISH)
    for channels in (GONE, GONE, CHAT, GONE, GONE):
        ear.looks(channels)
    assert [(news.reason, news.message, news.warning) for news in ear.told.news] == [("ChannelUnknown", WORDS, True)] * 2


@pytest.mark.parametrize(
    ("known", "leads", "told"),
    [
        pytest.param(GONE, True, 1, id="who-leads-tells"),
        pytest.param(None, True, 0, id="not-known-yet"),
        pytest.param(GONE, False, 0, id="another-leads"),
    ],
)
async def test_who_leads_looks_once_the_channels_are_known(
    ear: Ear, held: HeldLoop, known: Channels | None, leads: bool, told: int
) -> None:
    ear.sees(**WISH)
    task = asyncio.create_task(ear.unheard.run(lambda: known, lambda: leads))
    await asyncio.sleep(10 * LOOK_SECONDS)
    task.cancel()
    assert len(ear.told.news) == told
