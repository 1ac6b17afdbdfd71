"""The directory: who is named in which policy, as Roles in a namespace of its own, so that people can ask where they have a part.

RBAC answers what somebody may do in one namespace, but not in which. An entry is a Role, bound to those whom a policy names, with
the verb `request` or `approve` on an AccessPolicy that does not exist: it gives nothing, and a SelfSubjectRulesReview in this one
namespace tells everybody their own entries, and nobody another's.
"""

from jitaccess.domain.model import Key

DIRECTORY = "jitaccess-directory"


def entry_of(policy: Key) -> Key:
    """What a policy is called in the directory."""
    return Key(DIRECTORY, f"{policy.namespace}.{policy.name}")


def policy_of_entry(name: str) -> Key | None:
    """The policy that is called so in the directory; None for a name that we never give."""
    namespace, dot, policy = name.partition(".")  # the name of a namespace has no dot
    return Key(namespace, policy) if namespace and dot and policy else None
