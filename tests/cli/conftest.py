"""The plugin, on both kinds of installation."""

from collections.abc import Iterator

import pytest

from cli import warm
from cli.plugin import Plugin, close_all
from system import System
from team import Team, new_team


@pytest.fixture
def jit(by_hand_system: System) -> Plugin:
    """The plugin with a team of its own where nobody stamps: whatever it has people write, it writes in full."""
    return Plugin(new_team(by_hand_system, stamped=False))


@pytest.fixture
def jit_stamped(team: Team) -> Plugin:
    """The plugin with a team of its own where the API server stamps: its ledger lines and names are taken as they are."""
    return Plugin(team)


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """What a test has started ends with it, however it ends."""
    yield
    close_all()


@pytest.fixture(scope="session", autouse=True)
def no_parent_left() -> Iterator[None]:
    """The parent of the warm plugins ends with the tests."""
    yield
    warm.end()
