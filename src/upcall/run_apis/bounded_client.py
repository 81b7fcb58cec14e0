"""An HTTP client for the OpenAI SDK that follows no redirects, and bounds a response's bytes and time.

A stream of events is bounded in bytes only: whoever reads it decides for how long.
"""

import time
import zlib
from collections.abc import Iterator
from typing import Any, cast

import httpx2

from upcall.timeout import TimedOut, run_with_timeout

MAX_RESPONSE_BYTES = 8_000_000
"""Of a response's body, before and after decompression. The longest output of a model takes about 1 MB."""

MAX_STREAM_BYTES = 32_000_000
"""Of a stream: an event for each few characters, and at the end the whole response, once or twice."""

EVENT_STREAM = "text/event-stream"

_DROPPED_HEADERS = {"content-encoding", "content-length", "transfer-encoding"}


class UnreadableResponse(Exception):
    """The response has too many bytes, or an encoding that was not asked for. The message says which."""


class BoundedClient(httpx2.Client):
    """Reads every response within `seconds`, from the request to the last byte."""

    def __init__(self, **options: Any) -> None:
        super().__init__(follow_redirects=False, **options)
        self.headers["Accept-Encoding"] = "gzip"

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """Send a request, and read its response.

        The time-out of a read, which the SDK sets, bounds the whole. Raises httpx2.ReadTimeout after it, and
        UnreadableResponse.
        """
        if options.get("stream"):
            return self._open_stream(request, options)
        seconds = (request.extensions.get("timeout") or {}).get("read")
        try:
            return run_with_timeout(seconds, lambda: self._send(request, seconds, options))
        except TimedOut:  # its thread waits on until the server sends something or is silent
            raise httpx2.ReadTimeout("the response took too long", request=request) from None

    def _open_stream(self, request: httpx2.Request, options: dict[str, Any]) -> httpx2.Response:
        """Send a request for a stream. Any other response, such as an error, is read at once."""
        request.headers["Accept-Encoding"] = "identity"
        response = super().send(request, **{**options, "follow_redirects": False})
        if response.headers.get("content-type", "").startswith(EVENT_STREAM):
            if response.headers.get("content-encoding", "identity").strip().lower() in ("", "identity"):
                response.stream = _BoundedStream(cast("httpx2.SyncByteStream", response.stream))
                return response
            response.close()
            raise UnreadableResponse("a stream with an encoding, which was not asked for")
        return _read_whole(response, request, None)

    def _send(
        self, request: httpx2.Request, seconds: float | None, options: dict[str, Any]
    ) -> httpx2.Response:
        deadline = None if seconds is None else time.monotonic() + seconds
        response = super().send(request, **{**options, "stream": True, "follow_redirects": False})
        return _read_whole(response, request, deadline)


class _BoundedStream(httpx2.SyncByteStream):
    """The bytes of a stream, MAX_STREAM_BYTES at most."""

    def __init__(self, stream: httpx2.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        """The chunks, as they come. Raises UnreadableResponse."""
        received = 0
        for chunk in self._stream:
            received += len(chunk)
            if received > MAX_STREAM_BYTES:
                raise UnreadableResponse(f"a stream of more than {MAX_STREAM_BYTES:,} bytes")
            yield chunk

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()


def _read_whole(
    response: httpx2.Response, request: httpx2.Request, deadline: float | None
) -> httpx2.Response:
    """The response with its body, decompressed."""
    try:
        body = _read(response, request, deadline)
    finally:
        response.close()
    headers = [(name, value) for name, value in response.headers.items() if name not in _DROPPED_HEADERS]
    return httpx2.Response(
        response.status_code,
        headers=headers,
        content=body,
        request=request,
        extensions={**response.extensions},
    )


def _read(response: httpx2.Response, request: httpx2.Request, deadline: float | None) -> bytes:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity", "gzip"):
        raise UnreadableResponse(f"a response with the encoding {encoding}, which was not asked for")
    body, decompress = bytearray(), zlib.decompressobj(wbits=31) if encoding == "gzip" else None
    received = 0
    for chunk in response.iter_raw():
        received += len(chunk)
        room = MAX_RESPONSE_BYTES + 1 - len(body)
        try:
            body += decompress.decompress(chunk, room) if decompress else chunk
        except zlib.error:
            raise UnreadableResponse("a response that is not gzip, though it says so") from None
        if len(body) > MAX_RESPONSE_BYTES or received > MAX_RESPONSE_BYTES:
            raise UnreadableResponse(f"a response of more than {MAX_RESPONSE_BYTES:,} bytes")
        if deadline is not None and time.monotonic() > deadline:
            raise httpx2.ReadTimeout("the response took too long", request=request)
    return bytes(body)
