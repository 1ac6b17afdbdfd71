"""A model that finds nothing proves nothing: the search that finds nothing in our code must find each of these bugs."""

import pytest

from unit.protocol.bugs import Bug
from unit.protocol.plans import first_broken, simple_plans


@pytest.mark.parametrize("bug", [pytest.param(bug, id=bug.value) for bug in Bug])
def test_the_search_finds_that(bug: Bug) -> None:
    with bug.seeded():
        story = first_broken(simple_plans(bug.life))
    assert story, f"nothing breaks although {bug.value}"
