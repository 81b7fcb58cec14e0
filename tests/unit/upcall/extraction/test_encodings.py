"""Content encodings are taken off within bounds, however the bytes come and whatever they are."""

import gzip
import itertools
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from upcall.documents.content_encoding import decoded
from upcall.domain.errors import ToolError

Compress = Callable[[bytes], bytes]
MAX_BYTES = 1_000_000


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ENCODERS: dict[str, tuple[str, Compress]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", raw_deflate),
    "br": ("br", brotli.compress),
    "zstd": ("zstd", zstd.compress),
    "gzip, br": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    "zstd, gzip, deflate": ("zstd, gzip, deflate", lambda d: zlib.compress(gzip.compress(zstd.compress(d)))),
}
every = pytest.mark.parametrize(("names", "compress"), ENCODERS.values(), ids=ENCODERS)


def content(data: bytes, names: str, *cuts: int) -> bytes:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(edges)]
    return b"".join(decoded(pieces, names.split(","), MAX_BYTES))


@every
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 5000), max_size=6))
def test_content_is_the_same_however_its_bytes_come(
    names: str, compress: Compress, data: bytes, cuts: list[int]
) -> None:
    assert content(compress(data), names, *cuts) == data


@every
@settings(max_examples=30, deadline=None)
@given(data=st.binary(min_size=1, max_size=300), cut=st.integers(1, 10_000))
def test_what_ends_before_its_end_is_said_to(names: str, compress: Compress, data: bytes, cut: int) -> None:
    whole = compress(data)

    with pytest.raises(ToolError, match="ends before its end|is damaged"):
        content(whole[: cut % (len(whole) - 1) + 1], names)


@pytest.mark.parametrize("names", ["gzip", "deflate", "br", "zstd", "gzip, zstd", "br, deflate"])
@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=3))
def test_whatever_bytes_come_they_are_read_or_refused(names: str, data: bytes, cuts: list[int]) -> None:
    try:
        content(data, names, *cuts)
    except ToolError as error:
        assert str(error)


@every
def test_a_bomb_is_put_out_before_it_unfolds(names: str, compress: Compress) -> None:
    bomb = compress(bytes(100_000_000))
    tracemalloc.start()
    with pytest.raises(ToolError, match="the content is larger than 1,000,000 bytes"):
        for _ in decoded([bomb], names.split(","), MAX_BYTES):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < len(bomb) + 20_000_000


@pytest.mark.parametrize(("names", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_parts_without_content_do_not_go_on_for_ever(names: str, compress: Compress) -> None:
    asked = 0

    def endless() -> Iterator[bytes]:
        nonlocal asked
        while True:
            asked += 1
            yield compress(b"") * 100

    with pytest.raises(ToolError):
        list(decoded(endless(), [names], MAX_BYTES))
    assert asked < 1000


@pytest.mark.parametrize(("names", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_several_parts_are_one_content(names: str, compress: Compress) -> None:
    assert content(compress(b"one ") + compress(b"two"), names, 3, 11, 30) == b"one two"


@pytest.mark.parametrize("after", [b"", bytes(512), b"\x00", b"junk", b"\x1f"])
def test_a_second_part_is_found_and_padding_left_alone_byte_by_byte(after: bytes) -> None:
    data = gzip.compress(b"one ") + gzip.compress(b"two") + after
    pieces = [data[n : n + 1] for n in range(len(data))]
    if after == b"\x1f":  # the first byte of a third part
        with pytest.raises(ToolError, match="ends before its end"):
            list(decoded(pieces, ["gzip"], MAX_BYTES))
    else:
        assert b"".join(decoded(pieces, ["gzip"], MAX_BYTES)) == b"one two"


def test_brotli_with_something_behind_its_end_is_damaged_wherever_it_is_cut() -> None:
    data = brotli.compress(b"text") + b"junk"

    for cut in range(len(data)):
        with pytest.raises(ToolError, match="br data is damaged"):
            content(data, "br", cut)


@pytest.mark.parametrize(("names", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_large_piece_of_small_parts_is_not_copied_for_each(names: str, compress: Compress) -> None:
    start = time.monotonic()
    with pytest.raises(ToolError, match="is compressed in more than 10,000 parts"):
        content(compress(b"") * 100_000, names)

    assert time.monotonic() - start < 5


def test_frames_that_are_to_be_skipped_are() -> None:
    skipped = 0x184D2A50.to_bytes(4, "little") + (3).to_bytes(4, "little") + b"any"

    assert (
        content(skipped + zstd.compress(b"one ") + skipped + zstd.compress(b"two"), "zstd", 5) == b"one two"
    )


@pytest.mark.parametrize("names", ["", "identity", "none", "IDENTITY", " , identity"])
def test_what_is_not_encoded_passes(names: str) -> None:
    assert content(b"text", names) == b"text"


@pytest.mark.parametrize("names", ["gzip", "deflate", "br", "zstd", "GZIP", " Br "])
def test_no_content_at_all_is_no_damage(names: str) -> None:
    assert content(b"", names) == b""


def test_encodings_that_are_not_known_or_too_many_are_named() -> None:
    with pytest.raises(ToolError, match="encoded as compress, which cannot be read"):
        content(b"x", "compress")
    with pytest.raises(ToolError, match="encoded 4 times over"):
        content(b"x", "gzip,gzip,gzip,gzip")


def test_a_window_larger_than_the_web_allows_is_refused() -> None:
    """A frame that asks for 128 MB of memory, in which to look back."""
    parameters = zstd.CompressionParameter
    options = {int(parameters.window_log): 27, int(parameters.content_size_flag): 0}
    stream = zstd.ZstdCompressor(options=options)
    frame = stream.compress(b"x" * 1000) + stream.flush()

    with pytest.raises(ToolError, match="zstd data is damaged"):
        content(frame, "zstd")
