from collections.abc import Iterator

import pytest

from attack.stage import Theatre


@pytest.fixture(scope="session", params=["stamped", "by hand"])
def stage(request: pytest.FixtureRequest) -> Iterator[Theatre]:
    """One namespace on each of the two systems, shared by all attempts: every test runs twice."""
    stamped = request.param == "stamped"
    theatre = Theatre(request.getfixturevalue("stamped_system" if stamped else "by_hand_system"), stamped)
    theatre.furnish()
    yield theatre
    theatre.close()
