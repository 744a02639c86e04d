"""The log as JSON, for programs that collect it: one object in each line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final, Literal

from visdom_transport.settings import Settings, SettingsError

FIELDS: Final = ("event", "client", "feed", "count", "detail", "advice")
"""What a record may say beside its message, as attributes."""

STANDARD_OUTPUTS: Final = (1, 2)
TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """One object per record: `time` (ISO 8601, UTC), `level`, `logger`, those of `FIELDS` that it has, `message`, `traceback`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line: dict[str, Any] = {
            "time": f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z",
            "level": record.levelname,
            "logger": record.name,
        }
        line |= {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}
        line["message"] = record.getMessage()
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = record.stack_info
        return json.dumps(line, default=str)


def begin(log_format: Literal["text", "json"]) -> None:
    """Set the log of a program of ours up."""
    logging.basicConfig(level=logging.INFO, format=TEXT)
    if log_format == "json":
        logging.captureWarnings(True)
        write_as_json()


def choose() -> None:
    """The same for Visdom's command line, which sets its log up by writing to it."""
    try:
        if Settings.from_env().log_format == "json":
            logging.captureWarnings(True)
            write_as_json()
    except SettingsError:  # who starts the server says which setting it is
        pass


def write_as_json() -> None:
    """From now on handlers that write to standard output or error write JSON. A host's own files stay as they are."""
    if not logging.root.handlers:
        logging.root.addHandler(logging.StreamHandler())
    for handler in every_handler():
        if isinstance(handler, logging.StreamHandler) and _is_standard(handler.stream):
            handler.setFormatter(JsonFormatter())


def every_handler() -> Iterator[logging.Handler]:
    """Of all loggers of this process."""
    loggers = [logging.root, *(each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger))]
    return (handler for logger in loggers for handler in logger.handlers)


def _is_standard(stream: Any) -> bool:
    if stream in (sys.stdout, sys.stderr):
        return True
    try:
        return stream.fileno() in STANDARD_OUTPUTS
    except (AttributeError, OSError, ValueError):
        return False
