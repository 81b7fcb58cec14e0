"""How a body is read: by its bytes first, then by its declared media type and its name."""

import gzip

import pytest
from support.office_files import make_docx, make_zip, paragraph

from upcall.documents import read_document
from upcall.documents.media_type import parse_content_type
from upcall.domain.errors import ToolError
from upcall.domain.state_budget import MAX_STATE_BYTES

PDF = b"%PDF-1.4 not a good one"


def text(body: bytes, media_type: str, charset: str | None = None, name: str = "") -> str:
    return read_document(body, media_type, charset, needed_characters=MAX_STATE_BYTES, name=name).text


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
        ToolError,
        match=f"this is {media_type}, which cannot be read; HTML, PDF, Word and Excel files, e-mails and text can",
    ):
        text(b"\x89PNG", media_type)


def test_a_byte_order_mark_does_not_prevent_detection() -> None:
    assert text("\ufeff<!DOCTYPE html><p>Hello there</p>".encode(), "") == "Hello there"
    assert text("just words".encode("utf-16"), "") == "just words"


@pytest.mark.parametrize("media_type", ["application/toml", "application/x-ndjson", "application/sql"])
def test_text_of_an_application_type_is_text(media_type: str) -> None:
    assert text(b"words = 1", media_type) == "words = 1"


@pytest.mark.parametrize("media_type", ["text/markdown", "application/javascript", "image/svg+xml"])
def test_markup_in_a_text_of_another_type_keeps_its_tags(media_type: str) -> None:
    assert text(b"<html><text>Hello</text></html>", media_type) == "<html><text>Hello</text></html>"


def test_a_long_media_type_is_truncated_in_the_error() -> None:
    with pytest.raises(ToolError) as caught:
        text(b"\x00", "image/" + "x" * 5000)
    assert len(str(caught.value)) < 200


def test_binary_data_is_not_read_as_text() -> None:
    with pytest.raises(ToolError, match="the content is declared as text, but it is binary"):
        text(b"\x7fELF\x00\x01\x02\x03" + bytes(range(256)), "text/plain")
    with pytest.raises(ToolError, match="of an unknown type"):
        text(b"\x7fELF\x00\x01\x02\x03", "")
    with pytest.raises(ToolError, match="this is image/gif"):
        text(b"GIF89a\x01\x01\x02\x02", "")


@pytest.mark.parametrize(
    "media_type",
    [
        *("*/*", "application/vnd.ms-excel", "application/jsonl", "video/mp2t", "image/png", "audio/mpeg"),
        *("font/woff2", "application/zip", "application/x-foo", "nonsense", "text/html", "text/x-foo", ""),
    ],
)
@pytest.mark.parametrize(
    "content", ["a,b\nü,2\n", '{"a": "<p>x</p>"}\n', "const a = 1 < 2;", "BM, ID3 and GIF8"]
)
def test_text_is_text_whatever_media_type_is_declared(media_type: str, content: str) -> None:
    assert text(content.encode(), media_type) == content


@pytest.mark.parametrize(
    "media_type",
    [
        *(
            "text/plain",
            "application/json",
            "application/vnd.ms-excel",
            "image/jpeg",
            "application/pdf",
            "*/*",
        ),
        *("text/html", "application/octet-stream", "application/xml"),
    ],
)
@pytest.mark.parametrize(
    "start",
    ["<!DOCTYPE html>", "\ufeff <!doctype HTML>", "<html>", "<!-- a --> <!-- b -->\n<html lang=en>",
     '<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x">'],
)  # fmt: skip
def test_a_page_is_read_as_a_page_whatever_media_type_is_declared(media_type: str, start: str) -> None:
    assert text(f"{start}<body><p>Hello there</p></body></html>".encode(), media_type) == "Hello there"


@pytest.mark.parametrize(
    "media_type", ["application/vnd.ms-excel", "application/octet-stream", "text/csv", "video/mp2t"]
)
def test_a_csv_file_of_excel_is_text_in_its_own_charset(media_type: str) -> None:
    content = "Straße;Größe\nMühlenweg;5\nKöln, schöne Bäche;6\n"

    assert text(content.encode("cp1252"), media_type, name="data.csv") == content


def test_a_table_that_is_called_an_excel_file_is_read_as_html() -> None:
    assert "<" not in text(b"<table><tr><td>a</td><td>b</td></tr></table>", "application/vnd.ms-excel")


@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown", ""])
def test_a_readme_that_begins_with_a_tag_keeps_its_tags(media_type: str) -> None:
    content = "<p align=center>Hello</p>\n\n# A project\n"

    assert text(content.encode(), media_type, name="README.md") == content


def test_a_feed_that_is_called_html_keeps_its_tags() -> None:
    content = '<?xml version="1.0"?><rss><channel><title>News</title></channel></rss>'

    assert text(content.encode(), "text/html") == content


@pytest.mark.parametrize(
    "media_type", ["text/plain", "text/html", "application/octet-stream", "application/pdf"]
)
@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "video/mp4"),
        (b"ID3\x03\x00", "audio/mpeg"),
    ],
)
def test_an_image_is_named_as_what_it_is_whatever_media_type_is_declared(
    media_type: str, start: bytes, kind: str
) -> None:
    with pytest.raises(ToolError, match=f"this is {kind}, which cannot be read"):
        text(start + bytes(range(256)), media_type)


@pytest.mark.parametrize(
    ("members", "kind"),
    [
        ({"a.txt": "x"}, "application/zip"),
        ({"ppt/presentation.xml": "<x/>"}, "a PowerPoint file"),
        ({"mimetype": "application/epub+zip"}, r"application/epub\+zip"),
    ],
)
def test_an_archive_without_a_known_document_is_an_error(members: dict[str, str], kind: str) -> None:
    with pytest.raises(ToolError, match=f"this is {kind}, which cannot be read"):
        text(make_zip(members), "text/plain")


@pytest.mark.parametrize("media_type", ["application/gzip", "", "text/csv"])
def test_a_gzip_file_is_read_as_what_is_in_it(media_type: str) -> None:
    assert text(gzip.compress(b"a,b\n"), media_type, name="data.csv.gz") == "a,b\n"
    assert text(gzip.compress(b"<html><p>Hello there"), media_type) == "Hello there"
    assert text(gzip.compress(make_docx(paragraph("One."))), media_type) == "One."
    assert text(gzip.compress(gzip.compress(b"twice")), media_type) == "twice"


def test_a_gzip_file_that_is_too_large_or_too_deep_is_an_error() -> None:
    with pytest.raises(ToolError, match="larger than 10,000,000 bytes"):
        text(gzip.compress(bytes(10_000_001)), "")
    body = b"words"
    for _ in range(4):
        body = gzip.compress(body)
    with pytest.raises(ToolError, match="compressed more than 3 times"):
        text(body, "")


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-le", "utf-16-be"])
def test_text_in_utf_16_is_text_and_a_page_a_page(codec: str) -> None:
    assert text("just words, and more".encode(codec), "text/plain") == "just words, and more"
    assert text("<!doctype html><p>Hello there</p>".encode(codec), "text/html") == "Hello there"


@pytest.mark.parametrize("content", [b"", b" ", b"\n" * 100, b"\xef\xbb\xbf", b"\t" * 2000])
def test_blanks_are_neither_binary_nor_a_text_that_was_read(content: bytes) -> None:
    with pytest.raises(ToolError, match="the document (is empty|contains no text)"):
        text(content, "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('Text/HTML; Charset="UTF-8"', ("text/html", "utf-8")),
        ("text/plain", ("text/plain", None)),
        ("", ("", None)),
        (";", ("", None)),
        ("*/*", ("*/*", None)),
        ("text/html; charset*=x''%00", ("text/html", None)),
        ("text/html, text/plain", ("text/html", None)),
    ],
)
def test_a_content_type_has_a_media_type_and_perhaps_a_charset(
    value: str, expected: tuple[str, str | None]
) -> None:
    assert parse_content_type(value) == expected
