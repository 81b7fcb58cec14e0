"""Content encodings are decoded within limits, however the bytes are split and whatever they are."""

import gzip
import itertools
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.zstd_module import zstd

from upcall.documents.content_encoding import decode
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
    "br": ("br", lambda data: brotli.compress(data, quality=5)),
    "zstd": ("zstd", zstd.compress),
    "gzip, br": ("gzip, br", lambda data: brotli.compress(gzip.compress(data))),
    "zstd, gzip, deflate": ("zstd, gzip, deflate", lambda d: zlib.compress(gzip.compress(zstd.compress(d)))),
}
every_encoding = pytest.mark.parametrize(("encodings", "compress"), ENCODERS.values(), ids=ENCODERS)


def decode_bytes(data: bytes, encodings: str, *cuts: int) -> bytes:
    """The decoded content of `data`, which is split at `cuts`."""
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]
    return b"".join(decode(chunks, encodings.split(","), MAX_BYTES))


@every_encoding
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=3000), cuts=st.lists(st.integers(0, 5000), max_size=6))
def test_content_is_the_same_however_its_bytes_are_split(
    encodings: str, compress: Compress, data: bytes, cuts: list[int]
) -> None:
    assert decode_bytes(compress(data), encodings, *cuts) == data


@every_encoding
@settings(max_examples=30, deadline=None)
@given(data=st.binary(min_size=1, max_size=300), cut=st.integers(1, 10_000))
def test_truncated_data_is_an_error(encodings: str, compress: Compress, data: bytes, cut: int) -> None:
    whole = compress(data)

    with pytest.raises(ToolError, match="is truncated|is damaged"):
        decode_bytes(whole[: cut % (len(whole) - 1) + 1], encodings)


@every_encoding
def test_a_decompression_bomb_is_stopped_before_it_fills_the_memory(
    encodings: str, compress: Compress
) -> None:
    bomb = compress(bytes(4_000_000))
    tracemalloc.start()
    with pytest.raises(ToolError, match="the content is larger than 1,000,000 bytes"):
        for _ in decode([bomb], encodings.split(","), MAX_BYTES):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < len(bomb) + 1_000_000


@pytest.mark.parametrize(("encodings", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_endless_empty_members_are_an_error(encodings: str, compress: Compress) -> None:
    chunks = 0

    def endless() -> Iterator[bytes]:
        nonlocal chunks
        while True:
            chunks += 1
            yield compress(b"") * 100

    with pytest.raises(ToolError):
        list(decode(endless(), [encodings], MAX_BYTES))
    assert chunks < 1000


@pytest.mark.parametrize(("encodings", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_several_members_are_one_content(encodings: str, compress: Compress) -> None:
    assert decode_bytes(compress(b"one ") + compress(b"two"), encodings, 3, 11, 30) == b"one two"


@pytest.mark.parametrize("after", [b"", bytes(512), b"\x00", b"junk", b"\x1f"])
def test_a_second_member_is_found_and_padding_is_ignored_byte_by_byte(after: bytes) -> None:
    data = gzip.compress(b"one ") + gzip.compress(b"two") + after
    chunks = [data[n : n + 1] for n in range(len(data))]
    if after == b"\x1f":  # the first byte of a third member
        with pytest.raises(ToolError, match="is truncated"):
            list(decode(chunks, ["gzip"], MAX_BYTES))
    else:
        assert b"".join(decode(chunks, ["gzip"], MAX_BYTES)) == b"one two"


def test_brotli_with_data_after_its_end_is_damaged_wherever_it_is_split() -> None:
    data = brotli.compress(b"text") + b"junk"

    for cut in range(len(data)):
        with pytest.raises(ToolError, match="br data is damaged"):
            decode_bytes(data, "br", cut)


@pytest.mark.parametrize(("encodings", "compress"), [("gzip", gzip.compress), ("zstd", zstd.compress)])
def test_a_large_chunk_of_small_members_is_not_copied_for_each(encodings: str, compress: Compress) -> None:
    start = time.thread_time()
    with pytest.raises(ToolError, match="is compressed in more than 10,000 members"):
        decode_bytes(compress(b"") * 100_000, encodings)

    assert time.thread_time() - start < 5


def test_skippable_frames_are_skipped() -> None:
    skippable = 0x184D2A50.to_bytes(4, "little") + (3).to_bytes(4, "little") + b"any"

    assert (
        decode_bytes(skippable + zstd.compress(b"one ") + skippable + zstd.compress(b"two"), "zstd", 5)
        == b"one two"
    )


@pytest.mark.parametrize(
    "encodings",
    [
        *(
            "",
            "identity",
            "none",
            "IDENTITY",
            " , identity",
            "utf-8",
            "UTF8",
            "binary",
            "aws-chunked",
            "7bit",
        ),
        *("amz-1.0", "base64", "text/html", "null", "charset=utf-8", "utf-8,aws-chunked,none,binary"),
    ],
)
def test_content_without_an_encoding_is_unchanged(encodings: str) -> None:
    assert decode_bytes(b"text", encodings) == b"text"


@pytest.mark.parametrize("encodings", ["aws-chunked,gzip", "gzip,utf-8", '"gzip"'])
def test_an_encoding_is_decoded_beside_others_that_are_none(encodings: str) -> None:
    assert decode_bytes(gzip.compress(b"text"), encodings) == b"text"


@pytest.mark.parametrize("encodings", ["gzip", "deflate", "br", "zstd", "GZIP", " Br "])
def test_empty_data_is_empty_content(encodings: str) -> None:
    assert decode_bytes(b"", encodings) == b""


@pytest.mark.parametrize("content", [b"x", b"xy", b"plain words", b"\x1e\x8b", b"{}" * 100_000])
@pytest.mark.parametrize("cuts", [(), (1,), (1, 2, 3)])
def test_content_that_was_declared_as_gzip_and_never_compressed_is_unchanged(
    content: bytes, cuts: tuple[int, ...]
) -> None:
    assert decode_bytes(content, "gzip", *cuts) == content


def test_unsupported_encodings_and_too_many_are_errors() -> None:
    with pytest.raises(ToolError, match="the content encoding compress is not supported"):
        decode_bytes(b"x", "compress")
    with pytest.raises(ToolError, match="the content has 4 encodings, at most 3 are supported"):
        decode_bytes(b"x", "gzip,gzip,gzip,gzip")


def test_a_zstd_window_larger_than_8_mb_is_an_error() -> None:
    """The frame requires a window of 128 MB."""
    parameters = zstd.CompressionParameter
    options = {int(parameters.window_log): 27, int(parameters.content_size_flag): 0}
    stream = zstd.ZstdCompressor(options=options)
    frame = stream.compress(b"x" * 1000) + stream.flush()

    with pytest.raises(ToolError, match="zstd data is damaged"):
        decode_bytes(frame, "zstd")
