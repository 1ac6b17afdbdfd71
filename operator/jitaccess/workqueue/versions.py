"""What tells one version of an object from another."""

from jitaccess.domain.model import AccessPolicy

Version = tuple[str, int, bool]  # of a policy: UID, generation, whether it is being deleted


def version_of(resource_version: str) -> int:
    """A resourceVersion as a number, comparable since Kubernetes 1.35 by contract and before in fact; -1 if it is none."""
    return int(resource_version) if resource_version.isdecimal() else -1


def version_of_policy(policy: AccessPolicy) -> Version:
    """What of a policy makes it another one to the requests under it."""
    return policy.uid, policy.generation, policy.deleting
