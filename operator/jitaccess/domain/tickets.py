"""Whether a ticket is what a policy asks for, by RE2: the same patterns as in CEL, in time that grows with the ticket alone.

Python's own `re` tries one way after another, so that a pattern or a ticket could keep the operator busy for hours
(docs/adr/0025-limits-and-tickets.md).
"""

from collections.abc import Callable
from functools import lru_cache

from jitaccess.domain.terms import TicketRule

_MEMORY = 2 << 20  # bytes that a pattern may take: more than any of 256 characters should need
_PATTERNS = 256  # that are remembered
_LONGEST_COMPLAINT = 200


class BadPattern(ValueError):
    """A pattern that is none, and why."""


def check_pattern(pattern: str) -> None:
    """BadPattern where that is no RE2 pattern."""
    _finder(pattern)


def matches(rule: TicketRule, ticket: str) -> bool:
    """Whether the pattern is found in the ticket; BadPattern where it is none."""
    return _finder(rule.pattern)(ticket)


@lru_cache(maxsize=_PATTERNS)
def _finder(pattern: str) -> Callable[[str], bool]:
    import re2  # noqa: PLC0415 (3 MB of memory, for those alone whose policies ask for tickets)

    options = re2.Options()
    options.log_errors = False  # to stderr, by itself
    options.max_mem = _MEMORY
    try:
        compiled = re2.compile(pattern, options=options)
    except re2.error as error:
        raise BadPattern(_complaint(error)) from None
    return lambda text: compiled.search(text) is not None


def _complaint(error: Exception) -> str:
    [said] = error.args[:1] or ("",)
    words = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return words[:_LONGEST_COMPLAINT]
