"""How a body is read: by its declared media type, or by its first bytes if that says nothing."""

import pytest

from upcall.documents import read_document
from upcall.domain.errors import ToolError
from upcall.domain.state_budget import MAX_STATE_BYTES

PDF = b"%PDF-1.4 not a good one"


def text(body: bytes, media_type: str, charset: str | None = None) -> str:
    return read_document(body, media_type, charset, needed_characters=MAX_STATE_BYTES).text


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "text/csv", "text/markdown", "application/json", "application/ld+json", "application/xml",
     "application/rss+xml", "application/problem+json"],
)  # fmt: skip
def test_text_is_returned_unchanged(media_type: str) -> None:
    assert text('{"a": "<b>ä</b>"}'.encode(), media_type) == '{"a": "<b>ä</b>"}'


@pytest.mark.parametrize("media_type", ["text/html", "application/xhtml+xml"])
def test_html_is_reduced_to_its_text(media_type: str) -> None:
    assert text(b"<html><body><p>Hello there</p></body></html>", media_type) == "Hello there"


@pytest.mark.parametrize("media_type", ["", "application/octet-stream", "binary/octet-stream"])
def test_an_unspecific_media_type_is_replaced_by_detection(media_type: str) -> None:
    assert text(b"<!DOCTYPE html><p>Hello there</p>", media_type) == "Hello there"
    assert text(b"just words", media_type) == "just words"


@pytest.mark.parametrize(
    "media_type", ["", "application/pdf", "text/html", "application/octet-stream", "text/plain"]
)
def test_a_pdf_is_read_as_a_pdf_whatever_is_declared(media_type: str) -> None:
    with pytest.raises(ToolError, match="the PDF is damaged"):
        text(PDF, media_type)


@pytest.mark.parametrize(
    "media_type", ["image/png", "audio/mpeg", "video/mp4", "application/zip", "font/woff2"]
)
def test_a_media_type_without_text_is_an_error_that_names_it(media_type: str) -> None:
    with pytest.raises(
        ToolError, match=f"this is {media_type}, which cannot be read; HTML, PDF and text can"
    ):
        text(b"\x89PNG", media_type)


def test_a_byte_order_mark_does_not_prevent_detection() -> None:
    assert text("\ufeff<!DOCTYPE html><p>Hello there</p>".encode(), "") == "Hello there"
    assert text("just words".encode("utf-16"), "") == "just words"


@pytest.mark.parametrize("media_type", ["application/toml", "application/x-ndjson", "application/sql"])
def test_text_of_an_application_type_is_text(media_type: str) -> None:
    assert text(b"words = 1", media_type) == "words = 1"


@pytest.mark.parametrize("media_type", ["text/plain", "image/svg+xml"])
def test_markup_of_another_type_than_html_keeps_its_tags(media_type: str) -> None:
    """For example an HTML file that a code host serves as plain text."""
    assert text(b"<html><text>Hello</text></html>", media_type) == "<html><text>Hello</text></html>"


def test_a_long_media_type_is_truncated_in_the_error() -> None:
    with pytest.raises(ToolError) as caught:
        text(b"x", "image/" + "x" * 5000)
    assert len(str(caught.value)) < 200


def test_binary_data_is_not_read_as_text() -> None:
    with pytest.raises(ToolError, match="the content is declared as text, but it is binary"):
        text(b"\x7fELF\x00\x01\x02\x03" + bytes(range(256)), "text/plain")
    with pytest.raises(ToolError, match="of an unknown type"):
        text(b"\x7fELF\x00\x01\x02\x03", "")
    with pytest.raises(ToolError, match="of an unknown type"):
        text(b"GIF89a\x01\x01\x02\x02", "")
