"""What an object may be called, which no CRD says: the API server knows that by itself. Pure."""

import re
from collections.abc import Iterator

from jitaccess.lint.findings import Fault
from jitaccess.lint.objects import Object

LONGEST_NAME, LONGEST_NAMESPACE = 253, 63
_WORD = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_NAME = re.compile(rf"{_WORD}(\.{_WORD})*")
_NAMESPACE = re.compile(_WORD)


def misnamed(each: Object) -> Iterator[Fault]:
    """That an object has no name, or one that the API server does not take, or is in a namespace that cannot be."""
    field = "name" if each.metadata.get("name") else "generateName"
    if not each.name:
        yield Fault(("metadata", "name"), "is missing", blocks=True)
    # What is generated ends in letters and digits.
    elif not _fits(_NAME, f"{each.name}x" if field == "generateName" else each.name, LONGEST_NAME):
        said = f"{each.name!r} is no name: lower-case letters, digits, '-' and '.', with a letter or digit at both ends"
        yield Fault(("metadata", field), f"{said}, at most {LONGEST_NAME}")
    if each.namespace and not _fits(_NAMESPACE, each.namespace, LONGEST_NAMESPACE):
        said = f"{each.namespace!r} is no name of a namespace: lower-case letters, digits and '-'"
        yield Fault(("metadata", "namespace"), f"{said}, with a letter or digit at both ends, at most {LONGEST_NAMESPACE}")


def _fits(form: re.Pattern[str], text: str, longest: int) -> bool:
    return len(text) <= longest and form.fullmatch(text) is not None
