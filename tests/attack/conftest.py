from collections.abc import Iterator

import pytest

from attack.cluster import furnish_cluster
from attack.stage import Theatre
from attack.table import STAMPED
from conftest import running_system
from system import System


def furnished(system: System, *, stamped: bool) -> Iterator[Theatre]:
    """A namespace shared by all attempts on one installation."""
    theatre = Theatre(system, stamped)
    theatre.furnish()
    furnish_cluster(theatre)
    yield theatre
    theatre.close()


@pytest.fixture(scope="session")
def stamped_system() -> Iterator[System]:
    """One of their own: the rights and policies that attackers are given are nobody else's to find."""
    yield from running_system(STAMPED)


@pytest.fixture(scope="session")
def stamped_theatre(stamped_system: System) -> Iterator[Theatre]:
    yield from furnished(stamped_system, stamped=True)


@pytest.fixture(scope="session")
def by_hand_theatre(by_hand_system: System) -> Iterator[Theatre]:
    yield from furnished(by_hand_system, stamped=False)


@pytest.fixture(scope="session", params=[STAMPED])
def stage(request: pytest.FixtureRequest) -> Theatre:
    """The installation with stamping, unless the table says that an attempt is made on the other one (see table.by_hand)."""
    theatre: Theatre = request.getfixturevalue("stamped_theatre" if request.param == STAMPED else "by_hand_theatre")
    return theatre
