"""The ledgers of a request, as lines in annotations: who decided, what they wrote, in which stage, and for how long."""

import re
from collections.abc import Mapping
from dataclasses import replace

from jitaccess.domain.model import Decision, Ledger
from jitaccess.domain.text import parse_duration, printable

_STAGES = f"{Ledger.APPROVALS}."
# The same in decisions.yaml: what looks like an approval for less time, and what is one.
_MEANT = re.compile(r"\s*\[\s*[fF][oO][rR](?:[^a-zA-Z]|$)")
_SHORTER = re.compile(r"\[for ([0-9a-z.]{1,32})\](?: (.*))?")


def parse_ledger(text: str) -> tuple[Decision, ...]:
    """Parse a ledger: lines end at U+000A and nowhere else, the name ends at the first `: `.

    A line without a name, or with characters that the API server never lets in, is nobody's (`by` is empty): it can never
    count as an approval, and as a denial or revocation it still counts.
    """
    return tuple(_parse_line(line) for line in text.split("\n") if line)


def parse_approvals(annotations: Mapping[str, str]) -> tuple[Decision, ...]:
    """All approvals: those of no stage, then stage by stage, by name."""
    ledgers = [Ledger.APPROVALS.value, *sorted(key for key in annotations if key.startswith(_STAGES))]
    return tuple(
        replace(_shortened(line), stage=ledger.removeprefix(Ledger.APPROVALS).removeprefix("."))
        for ledger in ledgers
        for line in parse_ledger(annotations.get(ledger, ""))
    )


def _parse_line(line: str) -> Decision:
    name, colon, note = line.partition(": ")
    return Decision(name, note) if colon and printable(line) else Decision("", line)


def _shortened(approval: Decision) -> Decision:
    """The approval with what its bracket says, if it has one: `[for 30m] go ahead`."""
    if not _MEANT.match(approval.note):
        return approval
    bracket = _SHORTER.fullmatch(approval.note)
    try:
        length = parse_duration(bracket[1]) if bracket else None
    except ValueError:
        length = None
    return replace(approval, note=bracket[2] or "", length=length) if bracket and length else replace(approval, unclear=True)
