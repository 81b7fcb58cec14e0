"""Title and text of PDFs, and the errors for those without text."""

import io
import itertools
import re
import time
from types import SimpleNamespace

import pytest
from pypdf import PdfReader, PdfWriter
from support.pdf_files import THREE_PAGES, make_pdf, show_text, to_bytes

from upcall.documents import pdf, read_document
from upcall.documents.pdf import read_pdf
from upcall.domain.errors import ToolError

ALL = 10**9


def test_a_pdf_has_a_title_and_the_text_of_its_pages() -> None:
    document = read_pdf(THREE_PAGES, ALL)

    assert document.title == "A report"
    assert document.text.split() == ["One.", "Two.", "Three."]


def test_a_title_is_one_line_of_limited_length() -> None:
    document = read_pdf(make_pdf([show_text("One.")], title="A  report\n" + "on everything " * 10_000), ALL)

    assert document.title is not None
    assert document.title.startswith("A report on everything")
    assert len(document.title) == pdf.MAX_TITLE_CHARACTERS


def test_no_more_pages_are_read_than_needed() -> None:
    long = make_pdf([show_text(f"Page {n} of a long report.") for n in range(500)])
    start = time.thread_time()

    document = read_pdf(long, 1000)

    assert 1000 < len(document.text) < 1100
    assert time.thread_time() - start < 5


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_pdf_with_a_password_is_an_error(algorithm: str) -> None:
    writer = PdfWriter(PdfReader(io.BytesIO(THREE_PAGES)))
    writer.encrypt("secret", algorithm=algorithm)

    with pytest.raises(ToolError, match="the PDF is encrypted and cannot be read"):
        read_pdf(to_bytes(writer), ALL)


@pytest.mark.parametrize("algorithm", ["RC4-40", "RC4-128", "AES-128", "AES-256-R5", "AES-256"])
def test_a_pdf_with_an_empty_user_password_is_read(algorithm: str) -> None:
    writer = PdfWriter(PdfReader(io.BytesIO(THREE_PAGES)))
    writer.encrypt("", "owner", algorithm=algorithm)

    assert "Two." in read_pdf(to_bytes(writer), ALL).text


def test_a_lone_surrogate_is_replaced() -> None:
    """A PDF's own table maps bytes to characters, U+D800 included, which JSON cannot contain."""
    table = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <41> <d800> endbfchar endcmap"
    body = make_pdf([show_text("A."), table]).replace(b"/Helvetica", b"/Helvetica /ToUnicode 7 0 R")

    assert read_document(body, "application/pdf", None, needed_characters=ALL).text.strip() == "\ufffd."


def test_a_pdf_without_text_is_an_error() -> None:
    with pytest.raises(ToolError, match="contains no text; its pages may be images"):
        read_pdf(make_pdf([b"0 0 100 100 re f"]), ALL)


def test_a_damaged_page_does_not_affect_the_others() -> None:
    broken = make_pdf([show_text("One."), b"(" * 1000, show_text("Three.")], compressed=True)
    text = read_pdf(broken, ALL).text

    assert "One." in text
    assert "Three." in text


def test_pages_that_exceed_the_time_limit_are_left_out_and_the_text_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a clock that advances at each reading, so that the result does not depend on the machine."""
    readings = itertools.count()
    monkeypatch.setattr(
        pdf, "time", SimpleNamespace(monotonic=lambda: next(readings) * pdf.MAX_SECONDS / 3000)
    )
    long = make_pdf([show_text("A page of many.") * 100] * 20, title="A long report", compressed=True)

    document = read_pdf(long, ALL)

    assert document.title == "A long report"
    assert document.text.startswith("A page of many.")
    assert re.search(
        r"\[pages \d+ to 20 are left out: they take too much time or memory to read\]$", document.text
    )


def test_missing_objects_exceed_the_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """pypdf searches the whole file for each of them, which takes a tenth of a second."""
    monkeypatch.setattr(pdf, "MAX_SECONDS", 0.2)
    missing = b" ".join(b"%d 0 R" % number for number in range(10_000, 11_000))
    body = make_pdf([b" 1" * 4_000_000]).replace(b"/Kids [4 0 R]", b"/Kids [" + missing + b"]")
    start = time.thread_time()

    with pytest.raises(ToolError, match="the PDF takes too much time or memory to read"):
        read_pdf(body, ALL)
    assert time.thread_time() - start < 5
