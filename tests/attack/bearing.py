"""Access delivered as a temporary identity, on the stage: whose it is, and being it."""

from dataclasses import replace

from attack.stage import Theatre
from controlplane.client import Person
from team import eventually

ACCOUNTS = "jitaccess-grants"
_borne: dict[tuple[str, str], str] = {}  # by namespace and user


def borne(stage: Theatre, user: str = "alice") -> str:
    """A request of that person's that is Active throughout, delivered as an identity."""
    if (stage.namespace, user) not in _borne:
        _borne[stage.namespace, user] = delivered(stage, user)
    return _borne[stage.namespace, user]


def delivered(stage: Theatre, user: str = "alice") -> str:
    """A new such request."""
    name = stage.granted(user, "identity", duration="4h")
    eventually(lambda: being(stage, user, name).get("pods").ok, f"{user} is the account")
    return name


def user_name(stage: Theatre, request: str) -> str:
    """Who the identity of a request is to the API server."""
    return str(stage.status(request)["identity"])


def account(stage: Theatre, request: str) -> str:
    """The name of the account of a request."""
    return user_name(stage, request).rpartition(":")[2]


def being(stage: Theatre, user: str, request: str, **headers: str) -> Person:
    """Somebody who impersonates the identity of a request, or tries to."""
    return stage.person(user, **{"Impersonate-User": user_name(stage, request), **headers})


def holding(stage: Theatre, user: str, request: str) -> Person:
    """Somebody with a token of the identity of a request, minted by that person."""
    minter = stage.person(user)
    path = minter.at(ACCOUNTS).path("serviceaccounts", account(stage, request), "token")
    minted = minter.call("POST", path, {"spec": {"expirationSeconds": 3600}})
    return replace(minter, token=stage.sure(minted)["status"]["token"])
