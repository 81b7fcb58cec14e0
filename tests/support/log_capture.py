"""The lines that Upcall's logger writes, as they leave the process."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from upcall.observability.logging import SERVICE


class LogLines:
    """The lines that were written so far."""

    def __init__(self, file: io.StringIO) -> None:
        self._file = file

    @property
    def text(self) -> str:
        """All lines as text."""
        return self._file.getvalue()

    @property
    def parsed(self) -> list[dict[str, Any]]:
        """All lines as JSON."""
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def capture_logs(level: str = "INFO") -> Iterator[LogLines]:
    """Capture the lines of the logger, at a level, instead of writing them to its stream."""
    logger = logging.getLogger(SERVICE)
    handler = next(each for each in logger.handlers if isinstance(each, logging.StreamHandler))
    previous_level, file = logger.level, io.StringIO()
    previous_stream = handler.setStream(file)
    logger.setLevel(level)
    try:
        yield LogLines(file)
    finally:
        logger.setLevel(previous_level)
        if previous_stream is not None:
            handler.setStream(previous_stream)
