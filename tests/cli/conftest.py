"""The plugin, on both kinds of installation."""

import pytest

from cli.plugin import Plugin
from conftest import Team


@pytest.fixture
def jit(either: Team) -> Plugin:
    """The plugin with a team of its own; the test runs with stamping and without."""
    return Plugin(either)


@pytest.fixture
def jit_stamped(team: Team) -> Plugin:
    """The plugin with a team of its own, with stamping: for what does not depend on it."""
    return Plugin(team)
