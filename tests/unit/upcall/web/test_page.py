import json

import pytest

from local import pages
from upcall.errors import ToolError
from upcall.jsontext import json_bytes
from upcall.web.download import Download
from upcall.web.page import page

TIDES = (pages.FOLDER / "tides.html").read_bytes()


def downloaded(body: bytes, media_type: str = "text/html", charset: str | None = None) -> Download:
    return Download("https://example.com/", media_type, charset, body)


def test_html_becomes_title_and_main_text() -> None:
    read = page(downloaded(TIDES), offset=0)

    assert read.title == "Why the tide comes twice a day"
    assert "The difference between those two pulls stretches the oceans" in read.text
    assert "Sample pages" not in read.text, "navigation is not main text"
    assert "<p>" not in read.text


def test_the_charset_of_the_header_wins() -> None:
    body = "<html><body><p>" + "Grüße aus Köln sind schöne Grüße. " * 10 + "</p></body></html>"

    assert "Grüße aus Köln" in page(downloaded(body.encode("latin-1"), charset="iso-8859-1"), 0).text
    assert "Grüße aus Köln" in page(downloaded(body.encode(), charset="utf-8"), 0).text


def test_a_charset_that_nobody_knows_is_taken_for_utf_8() -> None:
    assert page(downloaded("Grüße".encode(), "text/plain", "klingon"), 0).text == "Grüße"


@pytest.mark.parametrize("media_type", ["text/plain", "application/json", "application/ld+json", "text/csv"])
def test_text_and_json_are_read_as_they_are(media_type: str) -> None:
    read = page(downloaded('{"a": "ä"}'.encode(), media_type), 0)

    assert (read.title, read.text) == (None, '{"a": "ä"}')


@pytest.mark.parametrize("media_type", ["image/png", "application/pdf", "application/octet-stream"])
def test_other_types_are_refused_by_name(media_type: str) -> None:
    with pytest.raises(ToolError, match=f"is {media_type}, which cannot be read"):
        page(downloaded(b"\x89PNG", media_type), 0)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"<<<>>>", b"\x00\xff" * 100, b"<p>" * 1000])
def test_a_page_without_text_is_empty_and_no_error(body: bytes) -> None:
    assert isinstance(page(downloaded(body), 0).text, str)


def test_an_offset_beyond_the_end_says_where_the_end_is() -> None:
    with pytest.raises(ToolError, match="the text ends at 5; there is nothing at offset 9"):
        page(downloaded(b"hello", "text/plain"), 9)


@pytest.mark.parametrize("room", [300, 1000, 4000])
def test_the_pieces_put_together_are_the_text(room: int) -> None:
    text = 'Zeile "1"\n ä😀 \\ ' * 200
    offset, pieces = 0, []
    while True:
        piece = page(downloaded(text.encode(), "text/plain", "utf-8"), offset).fit(room)
        assert json_bytes(piece.model_dump_json()) <= room
        pieces.append(piece.text)
        if piece.next_offset is None:
            break
        assert piece.next_offset > offset
        offset = piece.next_offset

    assert "".join(pieces) == text
    assert len(pieces) > 1


def test_a_page_that_fits_has_no_next_offset() -> None:
    assert (
        json.loads(page(downloaded(b"x", "text/plain"), 0).fit(1000).model_dump_json())["next_offset"] is None
    )
