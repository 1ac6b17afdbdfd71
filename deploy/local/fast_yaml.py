"""YAML read by libyaml where PyYAML brings it: large manifests take seconds without it."""

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def documents(text: str) -> list[Any]:
    """The documents in a text."""
    return list(yaml.load_all(text, Loader=_LOADER))


def document(text: str) -> Any:
    """The only document in a text."""
    return yaml.load(text, Loader=_LOADER)
