"""The people of a control plane, and the token file that makes them known to the API server."""

import csv
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class User:
    """A person or component known to the API server by a token; the name may hold nearly any character."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise ValueError("a user needs a name")
        for group in self.groups:
            if not group or "," in group:
                raise ValueError(f"group {group!r}: the token file can carry neither ',' nor nothing")
        for text in (self.name, self.uid, *self.groups):
            if "\r\n" in text:
                raise ValueError(f"{text!r}: the token file turns '\\r\\n' into '\\n'; use one of them")
            text.encode()  # lone surrogates have no UTF-8: UnicodeEncodeError is a ValueError


ADMIN = User("admin", ("system:masters",))
CONTROLLER_MANAGER = User("system:kube-controller-manager")
PEOPLE = (
    ADMIN,
    User("alice", ("developers",)),
    User("bob", ("leads",)),
    User("carol", ("leads",)),
    User("mallory"),
)


def people_with(extra: Iterable[User]) -> dict[str, User]:
    """Return the default people and `extra` by name; an extra one replaces a default one of the same name."""
    people = {user.name: user for user in PEOPLE}
    for user in extra:
        if user.name in (ADMIN.name, CONTROLLER_MANAGER.name):
            raise ValueError(f"{user.name!r} belongs to the control plane; take another name")
        people[user.name] = user
    return people


def new_tokens(users: Iterable[User]) -> dict[str, str]:
    """Return a fresh random token for each user name."""
    return {user.name: secrets.token_hex(24) for user in users}


def write_token_file(path: Path, users: Iterable[User], tokens: Mapping[str, str]) -> None:
    """Write the file for --token-auth-file; the API server reads it once, when it starts."""
    path.touch(mode=0o600)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        for user in users:
            groups = [",".join(user.groups)] if user.groups else []  # "" would be a group named ""
            rows.writerow([tokens[user.name], user.name, user.uid, *groups])
