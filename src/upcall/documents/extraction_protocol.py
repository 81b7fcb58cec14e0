"""What the extraction worker and its client send to each other through pipes.

A message is a header, which is a JSON object, and a body of bytes: two lengths of four bytes each, then the
header, then the body. A request has the document as its body, a response has none. The worker begins with a
response without a request, which says that it is ready, or why not.
"""

import json
import struct
from collections.abc import Mapping
from typing import Any, BinaryIO, Final

_LENGTHS: Final = struct.Struct("!II")

MAX_MESSAGE_BYTES: Final = 64_000_000
"""Of a header or a body. A document has at most 10 MB, and its text as JSON at most six times as much."""


class ConnectionEnded(Exception):
    """The other process has ended, or does not keep to this protocol."""


def send(stream: BinaryIO, header: Mapping[str, Any], body: bytes = b"") -> None:
    """Write a message. Raises OSError if the other process has ended."""
    # escaped only where necessary; a lone surrogate cannot be sent
    encoded = json.dumps(header, ensure_ascii=False).encode("utf-8", "replace")
    stream.write(_LENGTHS.pack(len(encoded), len(body)))
    stream.write(encoded)
    stream.write(body)
    stream.flush()


def receive(stream: BinaryIO) -> tuple[dict[str, Any], bytes]:
    """Read the header and the body of a message. Raises ConnectionEnded."""
    header_length, body_length = _LENGTHS.unpack(_read(stream, _LENGTHS.size))
    if max(header_length, body_length) > MAX_MESSAGE_BYTES:
        raise ConnectionEnded
    try:
        header = json.loads(_read(stream, header_length))
    except ValueError:
        raise ConnectionEnded from None
    if not isinstance(header, dict):
        raise ConnectionEnded
    return header, _read(stream, body_length)


def _read(stream: BinaryIO, length: int) -> bytes:
    data = stream.read(length)
    if len(data) < length:
        raise ConnectionEnded
    return data
