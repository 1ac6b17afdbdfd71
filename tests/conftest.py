"""What every test of the installed system shares: one control plane per overlay, and a namespace of one's own."""

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from people import EXTRA_USERS
from system import PRE_1_36, STAMPING, System
from team import Team, eventually, new_team, policy_manifest, request_manifest

STAMPED, BY_HAND = "stamped", "by hand"
OVERLAYS = {STAMPED: STAMPING, BY_HAND: PRE_1_36}

# The operator of the tests may also bind what a careless platform team would let it bind.
COMPONENTS = Path(__file__).parent / "components"
TEST_ROLES = Path(__file__).parent / "grantable-roles.yaml"

# A shell that starts us in the background has us ignore Ctrl-C, and every program that we start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def installed_system(overlay: str = STAMPED, *, components: bool = True) -> Iterator[System]:
    """The system installed on a control plane of its own, with or without the components, and without an operator yet.

    Its operators find the packages of their image: without `kubernetes`, which is here for the plugin, they start faster too.
    """
    with System(overlay=OVERLAYS[overlay], users=EXTRA_USERS, audit=True, as_in_image=True) as system:
        system.plane.kubectl("apply", "-f", str(TEST_ROLES))
        if components:
            system.plane.kubectl("apply", "-k", str(COMPONENTS))
        yield system


def running_system(overlay: str) -> Iterator[System]:
    """The installed system with its operator running."""
    with installed_system(overlay) as system:
        system.start_operator()
        yield system
        operator = system.operator
        assert operator, "the operator was never started"
        unexpected = [entry for entry in system.log() if is_unexpected(entry)]
        assert operator.running, f"the operator ended with {operator.exit_code}: {operator.log_tail()}"
        assert not unexpected, f"the operator logged errors that nobody expects: {unexpected}"


def is_unexpected(entry: Mapping[str, Any]) -> bool:
    """Whether an entry of the log tells of an error; a call or a Lease that is lost is none: machines stand still at times."""
    trace = str(entry.get("exc_info") or "").splitlines()
    is_outage = bool(trace) and trace[-1].startswith("jitaccess.kube.answers.Outage: ")
    return entry.get("level") == "CRITICAL" or (bool(trace) and not is_outage)


# Tests that share a control plane are one group, and each group runs in one process (make test: --dist loadgroup), so that no
# plane is started twice. The groups start in this order: the longest first, so that none is left alone at the end.
GROUPS = (
    "stamped",
    "by hand",
    "test_outages",
    "attack",
    "test_replicas",
    "test_audit",
    "cli",
    "unit/protocol/test_one_thing",
    "controlplane",
    "test_bench",
    "test_emergencies",
    "test_the_story_comes_out_right",  # alone in its group, like every test that brings a control plane of its own
    "test_chaos",
    "test_beginnings",
    "test_cluster_wide",
    "test_alive",
    "test_packaging",
    "test_notifications",
    "test_warm",
)


def group_of(item: pytest.Item) -> str:
    """The group that a test belongs to: by its installation, else by its folder or file."""
    fixtures = getattr(item, "fixturenames", ())
    params = item.callspec.params.values() if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ()
    if "by_hand_system" in fixtures or BY_HAND in params:
        return "by hand"
    folder = item.path.relative_to(Path(__file__).parent).parts[0]
    if folder in ("attack", "controlplane"):
        return folder
    if folder == "unit":
        return str(item.path.relative_to(Path(__file__).parent).with_suffix(""))  # they share nothing: each fills a gap
    if "stamped_system" in fixtures or STAMPED in params:
        return "cli" if folder == "cli" else "stamped"  # each long enough for a control plane of its own
    return item.name if folder == "demo" else item.path.stem


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say which process a test belongs to."""
    item.add_marker(pytest.mark.xdist_group(group_of(item)))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the groups into their order; inside a group the tests stay in theirs."""
    items.sort(key=lambda item: GROUPS.index(group) if (group := group_of(item)) in GROUPS else len(GROUPS))


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """No group is torn apart: else each process starts every control plane, which no test would notice."""
    if session.config.getoption("loadgroup", default=False) and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError("pytest-xdist does not group tests with this pytest; take the versions of requirements-dev.txt")


@pytest.fixture(scope="session")
def stamped_system() -> Iterator[System]:
    """Shared by the whole run: as on Kubernetes 1.36+, with stamping."""
    yield from running_system(STAMPED)


@pytest.fixture(scope="session")
def by_hand_system() -> Iterator[System]:
    """Shared by the whole run: as on Kubernetes 1.32 to 1.35, where people write their ledger lines."""
    yield from running_system(BY_HAND)


@pytest.fixture(params=[STAMPED, BY_HAND])
def either(request: pytest.FixtureRequest) -> Team:
    """A fresh namespace on each of the two installations: the test runs twice."""
    stamped = request.param == STAMPED
    return new_team(request.getfixturevalue("stamped_system" if stamped else "by_hand_system"), stamped=stamped)


@pytest.fixture
def team(stamped_system: System) -> Team:
    """A fresh namespace on the system with stamping."""
    return new_team(stamped_system)


__all__ = ["TEST_ROLES", "Team", "eventually", "new_team", "policy_manifest", "request_manifest"]
