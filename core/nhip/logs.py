"""Log records as lines: for people, or as JSON for whatever collects them. Fields given as ``extra`` are kept."""

import json
import logging
import sys
import time
from typing import Any, Final

_OWN: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName", "color_message"}


def extra_of(record: logging.LogRecord) -> dict[str, Any]:
    """The fields that a log call gave beside its text."""
    return {name: value for name, value in record.__dict__.items() if name not in _OWN}


class TextLines(logging.Formatter):
    """``2026-11-21T08:00:00Z INFO nhip.worker: claimed steps=12``."""

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  # as logging names it
        """The line without a traceback."""
        extra = "".join(f" {name}={value}" for name, value in extra_of(record).items())
        return super().formatMessage(record) + extra


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        """The whole record."""
        said: dict[str, Any] = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S") + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **extra_of(record),
        }
        if record.exc_info:
            said["exception"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False, default=str)


def configure(level: str, form: str) -> None:
    """Log to stderr from ``level`` (``info``) up, as ``text`` or ``json``."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What these say at "info" is of no use to whoever runs Nhịp.
    for noisy in ("alembic", "arq", "httpx", "uvicorn.access", "asyncio"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.getLogger().level))
