"""HTTP content encodings, decoded in bounded chunks: no input, however small, fills the memory.

Each decoder is a generator from chunks to chunks of at most CHUNK_BYTES.
"""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from upcall.domain.errors import ToolError

CHUNK_BYTES = 65_536

MAX_ENCODINGS = 3
"""Applied one after the other. More than one is rare; more than three is an attack."""

MAX_MEMBERS = 10_000
"""Of one gzip or zstd stream. Members may be empty, and then a limit on the content does not help."""

ZSTD_WINDOW_LOG = 23
"""8 MB, the largest window that a decoder for HTTP must support: RFC 9659."""

_GZIP_MAGIC: Final = b"\x1f\x8b"

Chunks = Iterator[bytes]


def decode(chunks: Iterable[bytes], encodings: Iterable[str], max_bytes: int) -> Chunks:
    """The content without its encodings, which are named in the order in which they were applied.

    What is no encoding, such as a charset, is ignored. Raises ToolError for an encoding that is not
    supported, for damaged or truncated data, and if any step yields more than `max_bytes`.
    """
    names = [name for each in encodings if (name := each.strip().strip('"').lower()) in _ENCODING_NAMES]
    check_encoding_count(names)
    stream = _limit_size(_split(chunks), max_bytes)
    for name in reversed(names):
        decoder = _DECODERS.get(name)
        if decoder is None:
            raise ToolError(f"the content encoding {name[:40]} is not supported")
        stream = _limit_size(_decode_one(name, decoder, stream), max_bytes)
    return stream


def check_encoding_count(names: Sequence[str]) -> None:
    """Raise ToolError for more encodings than MAX_ENCODINGS."""
    if len(names) > MAX_ENCODINGS:
        raise ToolError(f"the content has {len(names)} encodings, at most {MAX_ENCODINGS} are supported")


def _split(chunks: Iterable[bytes]) -> Chunks:
    """The same bytes in chunks of at most CHUNK_BYTES. Decoders copy the unused rest of a chunk each time."""
    for chunk in chunks:
        for start in range(0, len(chunk), CHUNK_BYTES):
            yield chunk[start : start + CHUNK_BYTES]


def _limit_size(chunks: Chunks, max_bytes: int) -> Chunks:
    count = 0
    for chunk in chunks:
        count += len(chunk)
        if count > max_bytes:
            raise ToolError(f"the content is larger than {max_bytes:,} bytes")
        yield chunk


class _Truncated(Exception):
    """The data ends before the end of the stream."""


def _decode_one(name: str, decoder: Callable[[Chunks], Chunks], chunks: Chunks) -> Chunks:
    try:
        yield from decoder(chunks)
    except _Truncated:
        raise ToolError(f"the content's {name} data is truncated") from None
    except _library_errors() as error:
        raise ToolError(f"the content's {name} data is damaged") from error


def _library_errors() -> tuple[type[Exception], ...]:
    """What the libraries raise for invalid data."""
    import brotli

    return zlib.error, brotli.error, _zstd().ZstdError, EOFError


def _gzip(chunks: Chunks) -> Chunks:
    """Members one after the other. Bytes after the last member, usually padding, are ignored.

    Content that does not begin like gzip is returned as it is: it was declared as gzip and never compressed.
    """
    stream: zlib._Decompress | None = None
    start, members = b"", 0
    for chunk in chunks:
        while chunk:
            if stream is None:
                # the magic number may be split over two chunks
                start, chunk = start + chunk, b""
                if len(start) < len(_GZIP_MAGIC):
                    break
                if not start.startswith(_GZIP_MAGIC):
                    if not members:
                        yield from _prepend(start, chunks)
                    return
                members = _count_member(members)
                start, chunk, stream = b"", start, zlib.decompressobj(16 + zlib.MAX_WBITS)
            if content := stream.decompress(chunk, CHUNK_BYTES):
                yield content
            chunk = stream.unconsumed_tail
            if stream.eof:
                chunk, stream = stream.unused_data, None
    if stream is not None:
        yield from _flush(stream)
    elif start and _GZIP_MAGIC.startswith(start):
        raise _Truncated
    elif not members:
        yield start


def _deflate(chunks: Chunks) -> Chunks:
    """With zlib's header, as the standard requires, or without, as some servers send it."""
    start = b""
    for chunk in chunks:
        start += chunk
        if len(start) > 1:
            break
    has_header = len(start) > 1 and start[0] & 15 == 8 and int.from_bytes(start[:2], "big") % 31 == 0
    stream = zlib.decompressobj(zlib.MAX_WBITS if has_header else -zlib.MAX_WBITS)
    for chunk in _prepend(start, chunks):
        while chunk:
            if content := stream.decompress(chunk, CHUNK_BYTES):
                yield content
            if stream.eof:
                return
            chunk = stream.unconsumed_tail
    if start:
        yield from _flush(stream)


def _prepend(start: bytes, chunks: Chunks) -> Chunks:
    yield start
    yield from chunks


def _flush(stream: "zlib._Decompress") -> Chunks:
    """The rest of the output after the last chunk, a few bytes at most. Raises _Truncated."""
    if content := stream.flush():
        yield content
    if not stream.eof:
        raise _Truncated


def _count_member(members: int) -> int:
    if members == MAX_MEMBERS:
        raise ToolError(f"the content is compressed in more than {MAX_MEMBERS:,} members")
    return members + 1


def _brotli(chunks: Chunks) -> Chunks:
    import brotli

    stream, started = brotli.Decompressor(), False
    for chunk in chunks:
        if not chunk:
            continue
        if stream.is_finished():
            raise brotli.error("data after the end")  # within one chunk, brotli finds this by itself
        started = True
        content = stream.process(chunk, output_buffer_limit=CHUNK_BYTES)
        while content or not stream.can_accept_more_data():
            yield content
            if stream.is_finished():
                break
            content = stream.process(b"", output_buffer_limit=CHUNK_BYTES)
    if started and not stream.is_finished():
        raise _Truncated


def _zstandard(chunks: Chunks) -> Chunks:
    zstd = _zstd()
    options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
    stream, started, members = zstd.ZstdDecompressor(options=options), False, 0
    for chunk in chunks:
        while chunk or not stream.needs_input:
            if not started:
                started, members = True, _count_member(members)
            if content := stream.decompress(chunk, CHUNK_BYTES):
                yield content
            chunk = b""
            if stream.eof:
                chunk = stream.unused_data
                stream, started = zstd.ZstdDecompressor(options=options), False
    if started:
        raise _Truncated


def _zstd() -> Any:
    """The standard library's module; before Python 3.14, a package with the same module."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


_DECODERS: Final[dict[str, Callable[[Chunks], Chunks]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstandard,
}

_UNSUPPORTED: Final = {
    "compress",
    "x-compress",
    "bzip2",
    "x-bzip2",
    "xz",
    "lzma",
    "exi",
    "pack200-gzip",
    "dcb",
    "dcz",
}
_ENCODING_NAMES: Final = _UNSUPPORTED | set(_DECODERS)
"""Objects are stored with anything in this header, such as `utf-8`, `binary`, `aws-chunked`, `amz-1.0`."""

ENCODINGS: Final = ("gzip", "deflate", "br", "zstd")
"""For Accept-Encoding."""
