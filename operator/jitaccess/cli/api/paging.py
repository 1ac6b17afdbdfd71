"""Lists in pages: the API server is asked for the next one when the one before has been used."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jitaccess.cli.api.connect import Connection

_PAGE = 500


def pages(connection: "Connection", path: str, selector: str = "") -> Iterator[dict[str, Any]]:
    """Yield a list, with its metadata, page by page."""
    query: dict[str, str | int] = {"limit": _PAGE} | ({"fieldSelector": selector} if selector else {})
    while True:
        page = connection.get(path, **query)
        proceed = page["metadata"].get("continue")
        yield page
        if not proceed:
            return
        query["continue"] = proceed
