"""The text of PDFs, and what is said of those that have none to give."""

import io
import itertools
import random
import re
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest
from pypdf import PdfReader, PdfWriter

from local.config import ROOT
from upcall.documents import pdf as module
from upcall.documents import read
from upcall.documents.pdf import pdf
from upcall.domain.errors import ToolError

ALL = 10**9


def document(contents: Iterable[bytes], title: str | None = None, packed: bool = False) -> bytes:
    """A PDF with a page for each content stream, written by hand."""
    streams = [zlib.compress(each) if packed else each for each in contents]
    kids = " ".join(f"{4 + 2 * n} 0 R" for n in range(len(streams)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(streams)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    how = "/Filter /FlateDecode " if packed else ""
    for n, stream in enumerate(streams):
        objects += [
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> "
            + f"/Contents {5 + 2 * n} 0 R >>".encode(),
            f"<< {how}/Length {len(stream)} >>\nstream\n".encode() + stream + b"\nendstream",
        ]
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, each in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + each + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{place:010} 00000 n \n".encode() for place in places)
    out.write(f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\n".encode())
    out.write(f"startxref\n{start}\n%%EOF\n".encode())
    if title is None:
        return out.getvalue()
    writer = PdfWriter(PdfReader(io.BytesIO(out.getvalue())))
    writer.add_metadata({"/Title": title})
    return written(writer)


def written(writer: PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def words(text: str) -> bytes:
    return f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()


THREE = document([words("One."), words("Two."), words("Three.")], title="A report")


def test_title_and_text_page_by_page() -> None:
    found = pdf(THREE, ALL)

    assert found.title == "A report"
    assert found.text.split() == ["One.", "Two.", "Three."]


def test_a_title_is_one_line_and_not_the_book() -> None:
    found = pdf(document([words("One.")], title="A  report\n" + "on everything " * 100_000), ALL)

    assert found.title is not None
    assert found.title.startswith("A report on everything")
    assert len(found.title) == module.MAX_TITLE


def test_no_more_pages_are_read_than_are_needed() -> None:
    long = document([words(f"Page {n} of a long report.") for n in range(2000)])
    start = time.monotonic()

    found = pdf(long, 1000)

    assert 1000 < len(found.text) < 1100
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_pdf_with_a_password_is_said_to_be_encrypted(algorithm: str) -> None:
    writer = PdfWriter(PdfReader(io.BytesIO(THREE)))
    writer.encrypt("secret", algorithm=algorithm)

    with pytest.raises(ToolError, match="the PDF is encrypted and cannot be read"):
        pdf(written(writer), ALL)


def test_a_pdf_that_is_encrypted_for_everybody_is_read() -> None:
    writer = PdfWriter(PdfReader(io.BytesIO(THREE)))
    writer.encrypt("", "owner", algorithm="RC4-128")

    assert "Two." in pdf(written(writer), ALL).text


def test_without_the_means_for_aes_a_pdf_is_said_to_be_encrypted() -> None:
    """The function has no package `cryptography`: RC4 is read all the same, AES is not."""
    read = """
import sys
sys.modules["cryptography"] = None
from upcall.errors import ToolError
from upcall.extraction.pdf import pdf
try:
    print(pdf(sys.stdin.buffer.read(), 10**9).text)
except ToolError as error:
    print(error)
"""
    said = {}
    for algorithm in ("RC4-128", "AES-128", "AES-256"):
        writer = PdfWriter(PdfReader(io.BytesIO(THREE)))
        writer.encrypt("", "owner", algorithm=algorithm)
        done = subprocess.run(
            [sys.executable, "-c", read],
            input=written(writer),
            env={"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            check=True,
        )
        said[algorithm] = " ".join(done.stdout.decode().split())

    encrypted = "the PDF is encrypted and cannot be read"
    assert said == {"RC4-128": "One. Two. Three.", "AES-128": encrypted, "AES-256": encrypted}


def test_half_of_a_surrogate_pair_in_a_pdf_does_not_get_out() -> None:
    """A PDF's own table says which character a byte means; no JSON can hold U+D800."""
    table = b"begincmap 1 begincodespacerange <00> <ff> endcodespacerange 1 beginbfchar <41> <d800> endbfchar endcmap"
    body = document([words("A."), table]).replace(b"/Helvetica", b"/Helvetica /ToUnicode 7 0 R")

    assert read(body, "application/pdf", None, enough=ALL).text.strip() == "\ufffd."


def test_a_pdf_without_text_is_said_to_be_pictures() -> None:
    with pytest.raises(ToolError, match="holds no text; its pages may be pictures"):
        pdf(document([b"0 0 100 100 re f"]), ALL)


def test_a_broken_page_does_not_hide_the_others() -> None:
    broken = document([words("One."), b"(" * 1000, words("Three.")], packed=True)
    text = pdf(broken, ALL).text

    assert "One." in text
    assert "Three." in text


def test_what_is_not_read_in_time_is_left_out_and_the_text_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by a little whenever it is looked at, and not by how fast this machine is."""
    long = document([words("A page of many.") * 500] * 500, title="A long report", packed=True)
    looks = itertools.count()
    clock = SimpleNamespace(monotonic=lambda: next(looks) * module.SECONDS / 100_000)
    monkeypatch.setattr(module, "time", clock)

    found = pdf(long, ALL)

    assert found.title == "A long report"
    assert found.text.startswith("A page of many.")
    assert re.search(r"\[cut: pages \d+ to 500 take too much time or memory\]$", found.text)


def test_objects_that_are_not_there_are_not_looked_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is searched for in all of the file, which takes a tenth of a second."""
    monkeypatch.setattr(module, "SECONDS", 0.5)
    missing = b" ".join(b"%d 0 R" % number for number in range(10_000, 11_000))
    body = document([b" 1" * 4_000_000]).replace(b"/Kids [4 0 R]", b"/Kids [" + missing + b"]")
    start = time.monotonic()

    with pytest.raises(ToolError, match="the PDF takes too much time or memory to read"):
        pdf(body, ALL)
    assert time.monotonic() - start < 5


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the system does not tell of memory")
def test_fonts_that_are_small_in_the_file_and_large_in_memory_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of the page's fonts has a table of all 65,536 characters, which is one and the same stream."""
    monkeypatch.setattr(module, "MAX_MEMORY_BYTES", 20_000_000)
    table = (
        b"begincmap 1 begincodespacerange <0000> <ffff> endcodespacerange "
        b"1 beginbfrange <0000> <ffff> <0000> endbfrange endcmap"
    )
    font = b"<< /Type /Font /Subtype /Type0 /BaseFont /A /Encoding /Identity-H /ToUnicode 7 0 R >>"
    fonts = b" ".join(b"/F%d %s" % (number, font) for number in range(2, 300))
    body = document([words("One."), table]).replace(b"/F1 3 0 R", b"/F1 3 0 R " + fonts)

    with pytest.raises(ToolError, match="the PDF takes too much time or memory to read"):
        pdf(body, ALL)


def test_whatever_is_broken_it_is_read_or_refused() -> None:
    dice = random.Random(1)
    broken = [THREE[:length] for length in range(0, len(THREE), 37)]
    for _ in range(150):
        changed = bytearray(THREE)
        for _ in range(dice.randint(1, 30)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        broken.append(bytes(changed))
    broken += [b"%PDF-1.7\n" + dice.randbytes(5000) for _ in range(20)]
    broken += [b"%PDF-1.7\n" + b"[" * 100_000, b"%PDF-1.7\n1 0 obj" + b"<<" * 100_000]
    outcomes: set[object] = set()
    for body in broken:
        try:
            outcomes.add(bool(pdf(body, ALL).text))
        except ToolError as error:
            outcomes.add(str(error))

    assert True in outcomes
    assert "the PDF is damaged and cannot be read" in outcomes


HOSTILE = {
    "a stream that unpacks to two hundred megabytes": "document([b'0 ' * 100_000_000], packed=True)",
    "a million operations": "document([b'BT /F1 9 Tf (x) Tj ET\\n' * 1_000_000], packed=True)",
    "one text of two hundred megabytes": "document([b'BT /F1 9 Tf (' + b'x' * 200_000_000 + b') Tj ET'], packed=True)",
    "arrays in arrays": "document([b'[' * 200_000 + b'(x) TJ'], packed=True)",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_pdf_takes_neither_the_time_nor_the_memory_of_the_function(body: str) -> None:
    """The body is made in one process and read in another, which is the one that is measured."""
    make = f"import sys; from test_pdf import document; sys.stdout.buffer.write({body})"
    read = """
import sys
from local.memory import peak_megabytes
from upcall.errors import ToolError
from upcall.extraction.pdf import pdf
body = sys.stdin.buffer.read()
before = peak_megabytes()
try:
    print(pdf(body, 10**9).text[:50])
except ToolError as error:
    print(error)
print(peak_megabytes() - before)
"""
    folders = ("src", "tests/unit/upcall/extraction", "")
    environment = {"PYTHONPATH": ":".join(str(ROOT / folder) for folder in folders)}
    made = subprocess.run([sys.executable, "-c", make], env=environment, capture_output=True, check=True)
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", read], input=made.stdout, env=environment, capture_output=True, check=False
    )

    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout.split()[-1]) < 150, "megabytes"
    assert time.monotonic() - start < 30
