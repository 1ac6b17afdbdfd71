"""Subjects as Kubernetes writes them."""

from collections.abc import Iterable

from jitaccess.domain.model import Manifest, Subject


def parse_subjects(subjects: Iterable[Manifest] | None) -> tuple[Subject, ...]:
    """Read a list of users, groups and ServiceAccounts, which may be absent."""
    return tuple(Subject(each.get("kind", ""), each.get("name", ""), each.get("namespace", "")) for each in subjects or ())
