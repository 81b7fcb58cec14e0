"""The logger: structured lines at the level of `POWERTOOLS_LOG_LEVEL`, redacted above DEBUG.

Messages are constants of the code. Values are logged if they are numbers or stand under a key of SAFE_KEYS.
Any other value, and the messages of exceptions and packages, may be a prompt, an argument or an output: they
are left out unless the level is DEBUG.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from upcall import config

SERVICE: Final = "upcall"
"""A constant and not a variable of the environment, because tools are also loaded outside of any function."""

SAFE_KEYS: Final = frozenset(
    {
        *("level", "location", "message", "timestamp", "service", "xray_trace_id", "exception_name"),
        *("run_id", "call_id", "message_id", "request_id", "handler", "status", "tool", "outcome"),
        *("error", "fields", "package", "code_locations", "_aws"),
    }
)
"""Keys whose values are made by the code or by AWS, and never by a request, a model or a page."""

REDACTED: Final = "(redacted; the log level DEBUG shows it)"

_EXCEPTION_KEYS: Final = ("exception", "exception_notes", "stack_trace")


class _RedactingFormatter(LambdaPowertoolsFormatter):
    """Powertools' formatter without values that others may have chosen."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info and record.exc_info[1] is not None:
            record.code_locations = code_locations(record.exc_info[1])
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        """The exception as text, if it is logged at all.

        To format it Python 3.11 parses source code. That costs more than the line, and may raise SystemError
        if another thread parses at the same moment.
        """
        return super().formatException(ei) if is_debug() else ""

    def serialize(self, log: Any) -> str:
        if not is_debug():
            log = {
                key: value if key in SAFE_KEYS or _is_number(value) else REDACTED
                for key, value in log.items()
                if key not in _EXCEPTION_KEYS
            }
        return super().serialize(log)


class PackageLogHandler(logging.Handler):
    """Turns log lines of packages into lines of this logger: with the run's ids, without their messages."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, unless it comes from this logger."""
        if record.name == SERVICE:
            return
        fields = {
            "package": record.name,
            "code_locations": [f"{record.pathname}:{record.lineno}"],
            "detail": record.getMessage(),
        }
        logging.getLogger(SERVICE).log(record.levelno, "log line of a package", extra=fields)


@contextmanager
def log_context(**fields: str | int) -> Iterator[None]:
    """Add these fields to every line that this thread, and those that it starts, write meanwhile."""
    logger.thread_safe_append_keys(**fields)
    try:
        yield
    finally:
        logger.thread_safe_remove_keys(list(fields))


def is_debug() -> bool:
    """Whether the operator wants contents in the logs, too."""
    return logging.getLogger(SERVICE).level <= logging.DEBUG


def code_locations(error: BaseException) -> list[str]:
    """The places in the code that an exception has passed."""
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]


def _is_number(value: object) -> bool:
    return (
        value is None
        or isinstance(value, int | float)
        or (isinstance(value, list) and all(map(_is_number, value)))
    )


def _redirect_packages() -> None:
    """Let packages log through PackageLogHandler only, and nothing below a warning.

    Lambda's runtime prints whatever packages log from its own level on. httpx logs each URL with the secrets
    in it, and botocore at DEBUG the secrets that it fetches.
    """
    root = logging.getLogger()
    root.handlers = [PackageLogHandler()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


logger = Logger(service=SERVICE, logger_formatter=_RedactingFormatter(use_rfc3339=True, utc=True))
if config.on_lambda():
    _redirect_packages()
