"""What a body is read as: what its sender says, or what it looks like where he says nothing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcall.documents import Document, read
from upcall.domain.errors import ToolError
from upcall.domain.state_budget import MAX_STATE_BYTES

PDF = b"%PDF-1.4 not a good one"


def text(body: bytes, media_type: str, charset: str | None = None) -> str:
    return read(body, media_type, charset, enough=MAX_STATE_BYTES).text


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "text/csv", "text/markdown", "application/json", "application/ld+json", "application/xml",
     "application/rss+xml", "application/problem+json"],
)  # fmt: skip
def test_text_is_read_as_it_is(media_type: str) -> None:
    assert text('{"a": "<b>ä</b>"}'.encode(), media_type) == '{"a": "<b>ä</b>"}'


@pytest.mark.parametrize("media_type", ["text/html", "application/xhtml+xml"])
def test_html_becomes_its_text(media_type: str) -> None:
    assert text(b"<html><body><p>Hello there</p></body></html>", media_type) == "Hello there"


@pytest.mark.parametrize("media_type", ["", "application/octet-stream", "binary/octet-stream"])
def test_what_is_called_nothing_is_looked_at(media_type: str) -> None:
    assert text(b"<!DOCTYPE html><p>Hello there</p>", media_type) == "Hello there"
    assert text(b"just words", media_type) == "just words"


@pytest.mark.parametrize(
    "media_type", ["", "application/pdf", "text/html", "application/octet-stream", "text/plain"]
)
def test_a_pdf_is_one_whatever_it_is_called(media_type: str) -> None:
    with pytest.raises(ToolError, match="the PDF is damaged"):
        text(PDF, media_type)


@pytest.mark.parametrize(
    "media_type", ["image/png", "audio/mpeg", "video/mp4", "application/zip", "font/woff2"]
)
def test_what_holds_no_text_is_refused_by_its_name(media_type: str) -> None:
    with pytest.raises(
        ToolError, match=f"this is {media_type}, which cannot be read; HTML, PDF and text can"
    ):
        text(b"\x89PNG", media_type)


def test_a_byte_order_mark_hides_nothing() -> None:
    assert text("\ufeff<!DOCTYPE html><p>Hello there</p>".encode(), "") == "Hello there"
    assert text("just words".encode("utf-16"), "") == "just words"


@pytest.mark.parametrize("media_type", ["application/toml", "application/x-ndjson", "application/sql"])
def test_text_that_is_called_an_application_is_text(media_type: str) -> None:
    assert text(b"words = 1", media_type) == "words = 1"


@pytest.mark.parametrize("media_type", ["text/plain", "image/svg+xml"])
def test_the_source_of_a_page_or_a_picture_is_given_as_it_is(media_type: str) -> None:
    """Who asks for an HTML file as plain text, from a code host, wants to see the tags."""
    assert text(b"<html><text>Hello</text></html>", media_type) == "<html><text>Hello</text></html>"


def test_a_kind_is_named_at_no_more_length_than_a_sentence_can_bear() -> None:
    with pytest.raises(ToolError) as caught:
        text(b"x", "image/" + "x" * 5000)
    assert len(str(caught.value)) < 200


def test_bytes_that_are_no_text_are_not_taken_for_one() -> None:
    with pytest.raises(ToolError, match="this is called text, but it is not"):
        text(b"\x7fELF\x00\x01\x02\x03" + bytes(range(256)), "text/plain")
    with pytest.raises(ToolError, match="of no known kind"):
        text(b"\x7fELF\x00\x01\x02\x03", "")
    with pytest.raises(ToolError, match="of no known kind"):
        text(b"GIF89a\x01\x01\x02\x02", "")


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=500),
    st.sampled_from(
        ["", "text/html", "text/plain", "application/json", "application/pdf", "x", "image/svg+xml"]
    )
    | st.text(max_size=20),
    st.none() | st.sampled_from(["utf-8", "utf-16", "gbk"]) | st.text(max_size=10),
)
def test_whatever_comes_is_a_document_or_a_reason(body: bytes, media_type: str, charset: str | None) -> None:
    try:
        found = read(body, media_type, charset, enough=1000, url="https://example.com/")
    except ToolError:
        return
    assert isinstance(found, Document)
    assert found.text.encode().decode() == found.text
