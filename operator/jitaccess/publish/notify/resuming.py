"""What was left by whoever led before, made anew from the request as it is now."""

from jitaccess.domain.notices import occasion_of
from jitaccess.kube.api import Cluster
from jitaccess.manifests.parse import parse_request
from jitaccess.publish.notify.channels import Channels, address_of
from jitaccess.publish.notify.marks import Left
from jitaccess.publish.notify.notice import Notice


async def resumed(cluster: Cluster, channels: Channels, left: Left) -> Notice | None:
    """The notice with that mark; None where the request is gone, or the channel is not for it any more."""
    found = await cluster.find(left.resource, left.key)
    request = parse_request(found) if found else None
    if request is None or request.uid != left.uid:
        return None
    address = address_of(channels, request, left.channel)
    if address is None:
        return None
    about = [entry for entry in request.recorded.history if occasion_of(entry) is left.occasion]
    made = (Notice(left.resource, request, left.occasion, address, left.due, entry) for entry in (*about, None))
    return next((notice for notice in made if notice.mark == left.mark), None)
