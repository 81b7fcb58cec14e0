"""Documents that are made to use up time or memory: each is read in a process that is measured.

Time is CPU time, so that a busy machine changes nothing.
"""

import io
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pypdf import PdfReader, PdfWriter
from support.pdf_files import THREE_PAGES, make_pdf, show_text, to_bytes

from local.config import ROOT
from upcall.documents import pdf
from upcall.documents.charset import decode_text
from upcall.documents.pdf import read_pdf
from upcall.domain.errors import ToolError

ENVIRONMENT = {"PYTHONPATH": ":".join(str(ROOT / folder) for folder in ("src", "tests", ""))}

TIMEOUT_SECONDS = 200
"""Of a process, on a machine that is very busy."""

HTML_PAGES = {
    "ten megabytes of paragraphs": "'<p>x</p>' * 1_250_000",
    "ten megabytes of links": "'<a href=x>y</a>' * 660_000",
    "a hundred thousand nested elements": "'<div><b>' * 100_000 + 'deep'",
    "nested tables": "'<table><tr><td>' * 100_000 + 'deep'",
    "one tag with a million attributes": "'<p ' + ' '.join(f'a{n}=1' for n in range(1_000_000)) + '>x</p>'",
    "many tags with a thousand attributes": "('<p ' + ' '.join(f'a{n}=1' for n in range(999)) + '>x</p>') * 300",
    "one line of ten megabytes": "'<p>' + 'x' * 10_000_000",
    "ten megabytes of brackets": "'<' * 10_000_000",
    "many comment sections": "'<div class=comment><p>x</p></div>' * 60_000",
    "many types in JSON-LD": "'<script type=\"application/ld+json\">' + '\"@type\":[' * 100_000 + '</script><p>x'",
    "cells with a huge colspan": "'<table><tr><td colspan=99999999>x' * 2_000",
    "cells with a colspan and paragraphs": "'<table><tr>' + '<td colspan=2><p>x' * 12_269",
    "ten megabytes of NULs": "'<html>' + chr(0) * 9_900_000",
    "thousands of preformatted texts": "('<pre>' + 'x y ' * 120 + '</pre>') * 6476",
    "a million entities": "'<p>' + 'a&amp;' * 1_600_000",
    "a comment that is not closed": "'<!--' + 'x' * 9_000_000",
}

PDF_FILES = {
    "a stream that decompresses to 200 MB": "make_pdf([b'0 ' * 100_000_000], compressed=True)",
    "a million operations": "make_pdf([b'BT /F1 9 Tf (x) Tj ET\\n' * 1_000_000], compressed=True)",
    "one string of 200 MB": "make_pdf([b'BT /F1 9 Tf (' + b'x' * 200_000_000 + b') Tj ET'], compressed=True)",
    "nested arrays": "make_pdf([b'[' * 200_000 + b'(x) TJ'], compressed=True)",
}


@pytest.mark.parametrize("page", HTML_PAGES.values(), ids=HTML_PAGES)
def test_a_hostile_page_stays_within_the_time_and_memory_of_the_function(page: str) -> None:
    """The function has 512 MB on AWS."""
    code = f"""
import time
from local.peak_memory import peak_megabytes
from upcall.documents.html import read_html
read_html("<p>hello</p>", "")
page = {page}
read_html(page, "https://example.com/")
print(peak_megabytes(), time.process_time())
"""
    process = subprocess.run(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    assert process.returncode == 0, process.stderr[-500:]
    megabytes, cpu_seconds = process.stdout.split()
    assert int(megabytes) < 400
    assert float(cpu_seconds) < 15


@pytest.mark.parametrize("body", PDF_FILES.values(), ids=PDF_FILES)
def test_a_hostile_pdf_stays_within_the_time_and_memory_of_the_function(body: str) -> None:
    """One process makes the file, another reads it. Only the second is measured."""
    make = f"import sys; from support.pdf_files import make_pdf; sys.stdout.buffer.write({body})"
    read = """
import sys, time
from local.peak_memory import peak_megabytes
from upcall.documents.pdf import read_pdf
from upcall.domain.errors import ToolError
body = sys.stdin.buffer.read()
before = peak_megabytes()
try:
    print(read_pdf(body, 10**9).text[:50])
except ToolError as error:
    print(error)
print(peak_megabytes() - before, time.process_time())
"""
    made = subprocess.run([sys.executable, "-c", make], env=ENVIRONMENT, capture_output=True, check=True)
    process = subprocess.run(
        [sys.executable, "-c", read],
        input=made.stdout,
        env=ENVIRONMENT,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    assert process.returncode == 0, process.stderr[-500:]
    megabytes, cpu_seconds = process.stdout.split()[-2:]
    assert int(megabytes) < 150
    assert float(cpu_seconds) < 15


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured in /proc")
def test_small_fonts_that_are_large_in_memory_exceed_the_memory_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of the page's fonts has a table of all 65,536 characters, which is the same stream for all."""
    monkeypatch.setattr(pdf, "MAX_MEMORY_BYTES", 10_000_000)
    table = (
        b"begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange "
        b"1 beginbfrange <0000> <ffff> <0000> endbfrange endcmap"
    )
    font = b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /ToUnicode 7 0 R >>"
    fonts = b" ".join(b"/F%d %s" % (number, font) for number in range(2, 300))
    body = make_pdf([show_text("One."), table]).replace(b"/F1 3 0 R", b"/F1 3 0 R " + fonts)

    with pytest.raises(ToolError, match="the PDF takes too much time or memory to read"):
        read_pdf(body, 10**9)


def test_without_the_package_cryptography_a_pdf_with_aes_is_an_error() -> None:
    """The function on AWS does not have the package. RC4 works without it."""
    read = """
import sys
sys.modules["cryptography"] = None
from upcall.documents.pdf import read_pdf
from upcall.domain.errors import ToolError
try:
    print(read_pdf(sys.stdin.buffer.read(), 10**9).text)
except ToolError as error:
    print(error)
"""
    outputs = {}
    for algorithm in ("RC4-128", "AES-128", "AES-256"):
        writer = PdfWriter(PdfReader(io.BytesIO(THREE_PAGES)))
        writer.encrypt("", "owner", algorithm=algorithm)
        process = subprocess.run(
            [sys.executable, "-c", read],
            input=to_bytes(writer),
            env=ENVIRONMENT,
            capture_output=True,
            check=True,
        )
        outputs[algorithm] = " ".join(process.stdout.decode().split())

    error = "the PDF is encrypted and cannot be read"
    assert outputs == {"RC4-128": "One. Two. Three.", "AES-128": error, "AES-256": error}


@pytest.mark.parametrize(
    "pattern", [bytes(range(256)), "Grüße aus Köln. ".encode("cp1252"), b"\x80", b"\xff\x00"]
)
def test_the_charset_of_ten_megabytes_is_guessed_in_seconds(pattern: bytes) -> None:
    start = time.thread_time()
    decode_text((pattern * (10_000_000 // len(pattern) + 1))[:10_000_000], None)

    assert time.thread_time() - start < 10
