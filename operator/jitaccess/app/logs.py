"""The log: one JSON object a line on standard error."""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def configure_logging(level: str) -> None:
    """Log from that level on, in whatever way somebody has set the log up before."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter(
            "%(levelname)s %(name)s %(message)s", timestamp=True, rename_fields={"levelname": "level", "name": "logger"}
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Kopf tells of every object and every reconnect; what matters to us it raises as a warning.
    logging.getLogger("kopf").setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.getLogger("aiohttp").setLevel(logging.WARNING)
