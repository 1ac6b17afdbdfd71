"""Making an object of ours be exactly as it should be, with as few writes as that takes."""

from jitaccess.domain.model import Manifest
from jitaccess.kube.api import Cluster
from jitaccess.manifests.grant import Object, is_same
from jitaccess.manifests.parse import key_of
from jitaccess.manifests.resources import Resource


async def make_same(cluster: Cluster, resource: Resource, found: Manifest | None, wanted: Object) -> None:
    """Make the object, or make the one of ours that was found be like it; nothing is written where it is."""
    if found and is_same(found, wanted):
        return
    if found and found.get("roleRef") == wanted.get("roleRef"):
        version = {"resourceVersion": found["metadata"]["resourceVersion"]}
        await cluster.replace(resource, key_of(wanted), {**wanted, "metadata": {**wanted["metadata"], **version}})
        return
    if found:  # whose role cannot be changed
        await cluster.delete(resource, key_of(wanted), found["metadata"]["uid"])
    await cluster.create(resource, wanted)
