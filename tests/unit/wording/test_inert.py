"""Text that people wrote, as letters only."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitaccess.wording.inert import argument, inert

# Whatever one dialect or another takes for more than a letter, by itself or before more of a word.
ACTS = re.compile(r"[@#<>&\[\]{}*_~`|$^\\/\n\r\t]|[.:](?=\S)")


@given(st.text(max_size=2000))
def test_whatever_is_written_is_one_short_line_of_letters(text: str) -> None:
    found = inert(text)
    assert not ACTS.search(found)
    assert len(found) <= 400
    assert found.splitlines() in ([], [found])


@given(st.text(alphabet=st.characters(categories=["Lu", "Ll", "Nd"]), min_size=1, max_size=50))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert inert(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("INC-42: pods crash looping.", "INC-42: pods crash looping.", id="ordinary prose"),
        pytest.param("@here", "\uff20here", id="a mention"),
        pytest.param("see https://evil.example/x", "see https\u2236\u2215\u2215evil\u2024example\u2215x", id="a link"),
        pytest.param("a\n\n# b\r\nWho: bob", "a \uff03 b Who: bob", id="lines become one"),
        pytest.param("bob\u202egnihsif", "bob\ufffdgnihsif", id="what reorders is shown as unknown"),
        pytest.param("x" * 401, "x" * 397 + "..\u2024."[:2] + ".", id="what is long is cut"),
    ],
)
def test_text_is_still_readable(text: str, shown: str) -> None:
    assert inert(text).replace("\u2024", ".") == shown.replace("\u2024", ".")


@pytest.mark.parametrize(("name", "typed"), [("alice-7f3k", "alice-7f3k"), ("login.evil.example", "login'.'evil'.'example")])
def test_a_name_is_typed_so_that_it_is_no_link(name: str, typed: str) -> None:
    assert argument(name) == typed
