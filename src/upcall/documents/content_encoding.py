"""Content encodings, taken off piece by piece: no input, however small, unfolds into memory.

Each decoder turns pieces into pieces of at most PIECE_BYTES, and makes one only when it is asked for.
"""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from upcall.domain.errors import ToolError

PIECE_BYTES = 65_536

MAX_ENCODINGS = 3
"""One within the other; more than one is a rarity, more than three an attack."""

MAX_PARTS = 10_000
"""Of one encoding, each complete by itself: they may be empty, and then no bound on the content helps."""

ZSTD_WINDOW_LOG = 23
"""8 MB, the most that a decoder for the web need keep: RFC 9659."""

Pieces = Iterator[bytes]


def decoded(pieces: Iterable[bytes], encodings: Iterable[str], max_bytes: int) -> Pieces:
    """The content without its encodings, which are named in the order in which they were applied.

    Raises ToolError for an encoding that is not known, for damaged or truncated data, and when any
    step gives more than `max_bytes`.
    """
    names = [name for each in encodings if (name := each.strip().lower()) not in ("", "identity", "none")]
    if len(names) > MAX_ENCODINGS:
        raise ToolError(f"the content is encoded {len(names)} times over, which cannot be read")
    stream = _bounded(_small(pieces), max_bytes)
    for name in reversed(names):
        decoder = _DECODERS.get(name)
        if decoder is None:
            raise ToolError(f"the content is encoded as {name[:40]}, which cannot be read")
        stream = _bounded(_decoded(name, decoder, stream), max_bytes)
    return stream


def _small(pieces: Iterable[bytes]) -> Pieces:
    """The same in small pieces: a decoder copies what it has not taken of a piece, time and again."""
    for piece in pieces:
        for start in range(0, len(piece), PIECE_BYTES):
            yield piece[start : start + PIECE_BYTES]


def _bounded(pieces: Pieces, max_bytes: int) -> Pieces:
    count = 0
    for piece in pieces:
        count += len(piece)
        if count > max_bytes:
            raise ToolError(f"the content is larger than {max_bytes:,} bytes")
        yield piece


class _Truncated(Exception):
    """The data ended before its own end."""


def _decoded(name: str, decoder: Callable[[Pieces], Pieces], pieces: Pieces) -> Pieces:
    try:
        yield from decoder(pieces)
    except _Truncated:
        raise ToolError(f"the content's {name} data ends before its end") from None
    except _damage() as error:
        raise ToolError(f"the content's {name} data is damaged") from error


def _damage() -> tuple[type[Exception], ...]:
    """What the libraries raise for data that is not what it should be."""
    import brotli

    return zlib.error, brotli.error, _zstd().ZstdError, EOFError


def _gzip(pieces: Pieces) -> Pieces:
    """Members one after the other; what follows the last, which is mostly padding, is left alone."""
    stream: zlib._Decompress | None = None
    start, parts = b"", 0
    for piece in pieces:
        while piece:
            if stream is None:
                # the mark that a member begins with may come in two pieces
                start, piece = start + piece, b""
                if len(start) < len(_GZIP_MARK):
                    break
                if parts and not start.startswith(_GZIP_MARK):
                    return
                parts = _counted(parts)
                start, piece, stream = b"", start, zlib.decompressobj(16 + zlib.MAX_WBITS)
            if content := stream.decompress(piece, PIECE_BYTES):
                yield content
            piece = stream.unconsumed_tail
            if stream.eof:
                piece, stream = stream.unused_data, None
    if stream is not None:
        yield from _rest(stream)
    elif start and (not parts or _GZIP_MARK.startswith(start)):
        raise _Truncated


_GZIP_MARK = b"\x1f\x8b"


def _deflate(pieces: Pieces) -> Pieces:
    """With zlib's header, as the standard has it, or without, as some servers do."""
    start = b""
    for piece in pieces:
        start += piece
        if len(start) > 1:
            break
    headed = len(start) > 1 and start[0] & 15 == 8 and int.from_bytes(start[:2], "big") % 31 == 0
    stream = zlib.decompressobj(zlib.MAX_WBITS if headed else -zlib.MAX_WBITS)
    for piece in _from(start, pieces):
        while piece:
            if content := stream.decompress(piece, PIECE_BYTES):
                yield content
            if stream.eof:
                return
            piece = stream.unconsumed_tail
    if start:
        yield from _rest(stream)


def _from(start: bytes, rest: Pieces) -> Pieces:
    yield start
    yield from rest


def _rest(stream: "zlib._Decompress") -> Pieces:
    """What is left to come when all data is in: a few bytes at most."""
    if content := stream.flush():
        yield content
    if not stream.eof:
        raise _Truncated


def _counted(parts: int) -> int:
    if parts == MAX_PARTS:
        raise ToolError(f"the content is compressed in more than {MAX_PARTS:,} parts")
    return parts + 1


def _brotli(pieces: Pieces) -> Pieces:
    import brotli

    stream, begun = brotli.Decompressor(), False
    for piece in pieces:
        if not piece:
            continue
        if stream.is_finished():
            raise brotli.error("there is more after the end")  # which it finds itself within one piece
        begun = True
        content = stream.process(piece, output_buffer_limit=PIECE_BYTES)
        while content or not stream.can_accept_more_data():
            yield content
            if stream.is_finished():
                break
            content = stream.process(b"", output_buffer_limit=PIECE_BYTES)
    if begun and not stream.is_finished():
        raise _Truncated


def _zstandard(pieces: Pieces) -> Pieces:
    zstd = _zstd()
    options = {zstd.DecompressionParameter.window_log_max: ZSTD_WINDOW_LOG}
    stream, begun, parts = zstd.ZstdDecompressor(options=options), False, 0
    for piece in pieces:
        while piece or not stream.needs_input:
            if not begun:
                begun, parts = True, _counted(parts)
            if content := stream.decompress(piece, PIECE_BYTES):
                yield content
            piece = b""
            if stream.eof:
                piece = stream.unused_data
                stream, begun = zstd.ZstdDecompressor(options=options), False
    if begun:
        raise _Truncated


def _zstd() -> Any:
    """The standard library's module from Python 3.14 on; the same from a package before."""
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return zstd


_DECODERS: Final[dict[str, Callable[[Pieces], Pieces]]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,
    "deflate": _deflate,
    "br": _brotli,
    "zstd": _zstandard,
}

ENCODINGS: Final = ("gzip", "deflate", "br", "zstd")
"""What a request may ask for."""
