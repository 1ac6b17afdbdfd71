"""From what the API server has to the domain's values; what a newer jitaccess wrote is reported, and stops no list."""

from collections.abc import Iterable

from jitaccess.cli.api.errors import UPGRADE, Unreadable
from jitaccess.domain.model import AccessRequest, Manifest
from jitaccess.manifests.parse import parse_request
from jitaccess.manifests.status import UnknownState

Found = tuple[AccessRequest, Manifest]


def read_request(manifest: Manifest) -> AccessRequest:
    """Read an AccessRequest; Unreadable where a newer jitaccess recorded it."""
    try:
        return parse_request(manifest)
    except UnknownState as unknown:
        raise Unreadable(f"request {manifest['metadata']['name']} cannot be read: {unknown}", UPGRADE) from None


def read_requests(manifests: Iterable[Manifest]) -> tuple[list[Found], list[Unreadable]]:
    """Read what can be read, and say what of it cannot."""
    found: list[Found] = []
    unreadable: list[Unreadable] = []
    for manifest in manifests:
        try:
            found.append((read_request(manifest), manifest))
        except Unreadable as error:
            unreadable.append(error)
    return found, unreadable
