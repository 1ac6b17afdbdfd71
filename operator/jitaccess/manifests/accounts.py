"""The names of temporary identities: where they live, and whose they are. Pure."""

from jitaccess.domain.model import Key

ACCOUNTS = "jitaccess-grants"  # the namespace; CEL has this name too (deploy/base/admission/identities.yaml)
_PREFIX = f"system:serviceaccount:{ACCOUNTS}:"

# Names of Jobs also become label values, of at most 63 characters; a UID has 36.
_NAME_ROOM = 63 - len("jit--") - 36


def account_key(request: Key, uid: str) -> Key:
    """The key of the account of a request, and of all that belongs to it: `jit-<request>-<UID>`, at most 63 characters.

    UIDs are never used again, so no account is ever another's.
    """
    return Key(ACCOUNTS, f"jit-{request.name[:_NAME_ROOM].rstrip('-.')}-{uid}")


def user_name(account: Key) -> str:
    """Who an account is to the API server."""
    return f"{_PREFIX}{account.name}"


def account_of(user: str) -> str:
    """The name of the account that has this user name; empty if it is no temporary identity."""
    return user.removeprefix(_PREFIX) if user.startswith(_PREFIX) else ""
