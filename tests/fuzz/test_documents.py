"""Arbitrary bytes as documents: each becomes a text that can be encoded, or an error for the model."""

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.arbitrary_values import fuzz_settings
from support.pdf_files import THREE_PAGES

from upcall.documents import Document, read_document
from upcall.documents.charset import decode_text
from upcall.documents.content_encoding import decode
from upcall.documents.html import read_html
from upcall.documents.pdf import read_pdf
from upcall.domain.errors import ToolError

HTML_PARTS = [
    *("<p>", "</p>", "<div", ">", "<a href='", "x", "&#0;", "<!--", "<table>", "<td>", "</", "\x00", "<svg>"),
    *("]]>", "<title>", "<![CDATA[", "é", "😀", "<script>", "<br>", "<template>", "<main>", "'", "\ufffd"),
    "word ",
]


@pytest.mark.parametrize("encodings", ["gzip", "deflate", "br", "zstd", "gzip, zstd", "br, deflate"])
@fuzz_settings
@given(data=st.binary(max_size=400), cuts=st.lists(st.integers(0, 400), max_size=3))
def test_any_bytes_are_decoded_or_an_error(encodings: str, data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    chunks = [data[start:end] for start, end in itertools.pairwise(edges)]
    try:
        b"".join(decode(chunks, encodings.split(","), 1_000_000))
    except ToolError as error:
        assert str(error)


@fuzz_settings
@given(st.lists(st.sampled_from(HTML_PARTS), max_size=40))
def test_any_html_is_read(parts: list[str]) -> None:
    document = read_html("".join(parts), "https://example.com/articles/one")

    assert document.text.encode().decode() == document.text


@fuzz_settings
@given(
    st.binary(min_size=1, max_size=2000),
    st.sampled_from([None, "utf-8", "shift_jis", "utf-16", "gbk", "latin1", "euc-kr"]),
)
def test_any_bytes_become_a_text_that_can_be_encoded(body: bytes, charset: str | None) -> None:
    text = decode_text(body, charset)

    assert text.encode().decode() == text


@fuzz_settings
@given(
    st.binary(max_size=500),
    st.sampled_from(
        ["", "text/html", "text/plain", "application/json", "application/pdf", "x", "image/svg+xml"]
    )
    | st.text(max_size=20),
    st.none() | st.sampled_from(["utf-8", "utf-16", "gbk"]) | st.text(max_size=10),
)
def test_any_body_is_a_document_or_an_error(body: bytes, media_type: str, charset: str | None) -> None:
    url = "https://example.com/"
    try:
        document = read_document(body, media_type, charset, needed_characters=1000, url=url)
    except ToolError:
        return
    assert isinstance(document, Document)
    assert document.text.encode().decode() == document.text


def test_a_damaged_pdf_is_read_or_an_error() -> None:
    generator = random.Random(1)
    damaged = [THREE_PAGES[:length] for length in range(0, len(THREE_PAGES), 37)]
    for _ in range(150):
        changed = bytearray(THREE_PAGES)
        for _ in range(generator.randint(1, 30)):
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        damaged.append(bytes(changed))
    damaged += [b"%PDF-1.7\n" + generator.randbytes(5000) for _ in range(20)]
    damaged += [b"%PDF-1.7\n" + b"[" * 100_000, b"%PDF-1.7\n1 0 obj" + b"<<" * 100_000]
    outcomes: set[object] = set()
    for body in damaged:
        try:
            outcomes.add(bool(read_pdf(body, 10**9).text))
        except ToolError as error:
            outcomes.add(str(error))

    assert True in outcomes
    assert "the PDF is damaged and cannot be read" in outcomes
