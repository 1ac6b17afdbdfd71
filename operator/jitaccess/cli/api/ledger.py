"""How a decision is written: one line `user: note` at the end of an append-only annotation. Pure."""

from jitaccess.cli.api.errors import UsageError
from jitaccess.domain.text import printable, unprintable

LONGEST_NOTE = 1024


def added_line(ledger: str | None, me: str, note: str) -> str:
    """The ledger with my line at its end; None is a ledger that nobody has written to."""
    return f"{me}: {note}" if ledger is None else f"{ledger}\n{me}: {note}"


def checked_text(text: str, what: str) -> str:
    """The text as the API server takes it; UsageError for more than one line, invisible characters, or too much of it."""
    if not printable(text):
        raise UsageError(f"the {what} has {unprintable(text)}: remove it; it is one line of text that shows all there is")
    if len(text) > LONGEST_NOTE:
        raise UsageError(f"the {what} has at most {LONGEST_NOTE} characters, and this one has {len(text)}: shorten it")
    return text
