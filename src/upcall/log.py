"""The one logger: structured lines at the level that `POWERTOOLS_LOG_LEVEL` says, redacted above DEBUG.

A line says what it is about in words of the code, in figures, and under keys of SAFE. Whatever else it is
given, and what exceptions and packages say in words of their own, may be a prompt, an argument or an
output: that is left out unless the level is DEBUG.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from upcall import settings

SERVICE: Final = "upcall"
"""Named here and not by a variable: tools are also loaded where no function's environment is."""

SAFE: Final = frozenset(
    {
        *("level", "location", "message", "timestamp", "service", "xray_trace_id", "exception_name"),
        *("run_id", "call_id", "message_id", "request_id", "step", "status", "tool", "outcome"),
        *("error", "fields", "package", "where", "_aws"),
    }
)
"""Keys whose values are made by the code or by AWS, whatever a request, a model or a page says."""

LEFT_OUT: Final = "(left out; the log level DEBUG shows it)"

_WORDS_OF_EXCEPTIONS: Final = ("exception", "exception_notes", "stack_trace")


class _Redacting(LambdaPowertoolsFormatter):
    """Powertools' formatter, without what may be words of others."""

    def format(self, record: logging.LogRecord) -> str:
        if record.exc_info and record.exc_info[1] is not None:
            record.where = where(record.exc_info[1])
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: N802  # logging's name
        """The words of an exception, where they are written at all.

        To format them Python 3.11 parses source, which costs more than the line, and may raise SystemError
        where another thread parses at the same moment.
        """
        return super().formatException(ei) if in_full() else ""

    def serialize(self, log: Any) -> str:
        if not in_full():
            log = {
                key: value if key in SAFE or _is_figure(value) else LEFT_OUT
                for key, value in log.items()
                if key not in _WORDS_OF_EXCEPTIONS
            }
        return super().serialize(log)


class PackagesLines(logging.Handler):
    """Makes lines of ours of what packages log: with the ids of the run, and without their words."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, unless it is one of ours."""
        if record.name == SERVICE:
            return
        told = {
            "package": record.name,
            "where": [f"{record.pathname}:{record.lineno}"],
            "words": record.getMessage(),
        }
        logging.getLogger(SERVICE).log(record.levelno, "a package says", extra=told)


@contextmanager
def about(**ids: str | int) -> Iterator[None]:
    """Have these keys in every line that is written meanwhile, by this thread and those that it starts."""
    logger.thread_safe_append_keys(**ids)
    try:
        yield
    finally:
        logger.thread_safe_remove_keys(list(ids))


def in_full() -> bool:
    """Whether the operator wants words, too."""
    return logging.getLogger(SERVICE).level <= logging.DEBUG


def where(error: BaseException) -> list[str]:
    """The places in the code that an exception has passed."""
    return [f"{each.filename}:{each.lineno}" for each in traceback.extract_tb(error.__traceback__)]


def _is_figure(value: object) -> bool:
    return (
        value is None
        or isinstance(value, int | float)
        or (isinstance(value, list) and all(map(_is_figure, value)))
    )


def _own_all_lines() -> None:
    """Have packages log through PackagesLines alone, and nothing below a warning.

    Lambda's runtime prints whatever packages log from its own level on: httpx tells each URL, with what is
    secret in it, and botocore at DEBUG the secrets that it fetches.
    """
    root = logging.getLogger()
    root.handlers = [PackagesLines()]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)


logger = Logger(service=SERVICE, logger_formatter=_Redacting(use_rfc3339=True, utc=True))
if settings.on_lambda():
    _own_all_lines()
