"""A file on a web server that is read in parts, such as the directory of a large ZIP archive."""

import io
import re
import time
from typing import Self

import httpx

TIMEOUT_SECONDS = 10
"""Of a request, and of the silence within a response."""

TAIL_BYTES = 2_000_000
"""Read first, as a ZIP archive has its directory at its end. That of a layer takes 0.4 to 1.1 MB."""

MAX_FILE_BYTES = 100_000_000
MAX_FILE_SECONDS = 60
"""Of a file that the server only sends as a whole."""


class UnreadableFile(Exception):
    """The file cannot be read. The message says why."""


class RemoteFile(io.RawIOBase):
    """A seekable file behind a URL, read with range requests (RFC 9110, section 14).

    Only GET is used, because a presigned URL of S3 is valid for one method. Raises UnreadableFile.
    """

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(timeout=TIMEOUT_SECONDS, headers={"Accept-Encoding": "identity"})
        self._url = url
        self._position = 0
        self._start, self._size, self._cached = self._get(f"-{TAIL_BYTES}")

    def __enter__(self) -> Self:
        return self

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
        super().close()

    def seekable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """The position of the next byte to be read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise OSError("a position before the start of the file")
        self._position = base + offset
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        """Bytes from the position on, fewer than `size` only at the end of the file."""
        end = self._size if size is None or size < 0 else min(self._position + size, self._size)
        if end <= self._position:
            return b""
        if self._position < self._start or end > self._start + len(self._cached):
            self._start, self._size, self._cached = self._get(f"{self._position}-{end - 1}")
        first = self._position - self._start
        data = self._cached[first : first + end - self._position]
        self._position += len(data)
        return data

    def _get(self, bytes_range: str | None) -> tuple[int, int, bytes]:
        """The start of what the server sends of the file, the size of the file, and the bytes."""
        headers = {"Range": f"bytes={bytes_range}"} if bytes_range else {}
        try:
            with self._client.stream("GET", self._url, headers=headers) as response:
                if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE and bytes_range:
                    return self._get(None)  # some servers reject a range that is longer than the file
                if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                    raise UnreadableFile(f"status {response.status_code}")
                data = _read(response)
        except httpx.HTTPError as error:
            raise UnreadableFile(f"{type(error).__name__}: {error}") from None
        if response.status_code == httpx.codes.OK:
            return 0, len(data), data
        sent = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", response.headers.get("content-range", ""))
        if not sent or len(data) != int(sent[2]) - int(sent[1]) + 1:
            raise UnreadableFile("the server sent another range than it says")
        return int(sent[1]), int(sent[3]), data


def _read(response: httpx.Response) -> bytes:
    data, deadline = bytearray(), time.monotonic() + MAX_FILE_SECONDS
    for chunk in response.iter_raw():
        data += chunk
        if len(data) > MAX_FILE_BYTES:
            raise UnreadableFile(f"more than {MAX_FILE_BYTES:,} bytes")
        if time.monotonic() > deadline:
            raise UnreadableFile(f"it took longer than {MAX_FILE_SECONDS} seconds")
    return bytes(data)
