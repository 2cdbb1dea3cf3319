"""Structured logs: one line of JSON for each event, with the correlation id of the request that it belongs to."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from letgo_gateway.settings import Settings

correlation: ContextVar[str | None] = ContextVar("letgo_gateway_correlation", default=None)
"""The id of the request at hand."""
FIELDS = "fields"
"""The name under which `extra` gives a record fields of its own: `log.info("...", extra={FIELDS: {...}})`."""


_written = json.JSONEncoder(default=str).encode  # `json.dumps` would make an encoder for each line


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := correlation.get()) is not None:
            line["correlation_id"] = request
        line |= getattr(record, FIELDS, {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _written(line)


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        fields = "".join(f" {name}={value}" for name, value in getattr(record, FIELDS, {}).items())
        request = correlation.get()
        return super().format(record) + fields + (f" correlation_id={request}" if request is not None else "")


def configure(settings: Settings) -> None:
    """Have this process log to its standard error, in the form and from the level that the settings say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == "json" else TextFormatter())
    # What no line tells need not be found out (https://docs.python.org/3/howto/logging.html#optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(handlers=[handler], level=settings.log_level.upper(), force=True)
    for noisy in ("alembic", "asyncio", "httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, logging.root.level))
