"""A bucket for batches without S3."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from upcall.domain.errors import NotFound


class InMemoryBatchFiles:
    """Implements BatchFiles. Passes the same contract suite as upcall.aws.batch_files.

    `objects` has the content of every object by its key, `writes` the keys in the order of the writes.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.content_types: dict[str, str] = {}
        self.writes: list[str] = []

    def open_file(self, key: str, offset: int = 0) -> BinaryIO:
        """See BatchFiles."""
        return io.BytesIO(self._get(key)[offset:])

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """See BatchFiles."""
        return self._get(key)[offset : offset + length]

    def write_file(self, key: str, content: bytes, content_type: str) -> None:
        """See BatchFiles."""
        self.objects[key] = content
        self.content_types[key] = content_type
        self.writes.append(key)

    @contextmanager
    def create_file(self, key: str) -> Iterator[BinaryIO]:
        """See BatchFiles."""
        content = io.BytesIO()
        yield content
        self.write_file(key, content.getvalue(), "")

    def presign_url(self, key: str, seconds: int) -> str:
        """See BatchFiles."""
        return f"https://bucket.example/{key}?expires={seconds}"

    def _get(self, key: str) -> bytes:
        if key not in self.objects:
            raise NotFound(f"there is no object {key!r}")
        return self.objects[key]
