"""What our logger writes, line by line, as it leaves the process."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from upcall.observability.logging import SERVICE


class Lines:
    """The lines that were written so far."""

    def __init__(self, file: io.StringIO) -> None:
        self._file = file

    @property
    def text(self) -> str:
        """All of them as they are."""
        return self._file.getvalue()

    @property
    def parsed(self) -> list[dict[str, Any]]:
        """All of them as JSON."""
        return [json.loads(line) for line in self.text.splitlines()]


@contextmanager
def written(level: str = "INFO") -> Iterator[Lines]:
    """Catch the lines of our logger, for a while, at a level."""
    ours = logging.getLogger(SERVICE)
    handler = next(each for each in ours.handlers if isinstance(each, logging.StreamHandler))
    before, file = ours.level, io.StringIO()
    stream = handler.setStream(file)
    ours.setLevel(level)
    try:
        yield Lines(file)
    finally:
        ours.setLevel(before)
        if stream is not None:
            handler.setStream(stream)
