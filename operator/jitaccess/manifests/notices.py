"""The field `notify` of a policy as Kubernetes writes it. What cannot be read of it is left out, and in nobody's way."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from jitaccess.domain.model import Manifest
from jitaccess.domain.notices import CHOSEN, Notify
from jitaccess.domain.text import parse_duration

_NAMES = {occasion.value: occasion for occasion in CHOSEN}


def parse_notify(spec: Manifest) -> tuple[Notify, ...] | None:
    """Read whom a policy wants to be told; None where it says nothing of that."""
    wanted = spec.get("notify")
    return None if wanted is None else tuple(_one(each) for each in wanted if each.get("channel"))


def _one(entry: Mapping[str, Any]) -> Notify:
    return Notify(
        entry["channel"],
        frozenset(_NAMES[name] for name in entry.get("when") or () if name in _NAMES),
        _length(entry, "remindAfter"),
        _length(entry, "escalateAfter"),
        _length(entry, "warnBefore"),
    )


def _length(entry: Mapping[str, Any], field: str) -> timedelta | None:
    try:
        return parse_duration(str(entry[field])) if field in entry else None
    except ValueError:
        return None  # the API server lets none of these in
