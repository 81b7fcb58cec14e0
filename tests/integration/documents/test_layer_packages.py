"""Documents of all kinds are read with the packages of the layers alone, as on a laptop.

A laptop has more packages, and some libraries do more if they find one: pypdf decrypts with a package that moto
brings, which no layer had.
"""

import csv
import gzip
import io
import json
from email.message import EmailMessage
from importlib.metadata import version
from pathlib import Path

import brotli
import pytest
from pypdf import PdfReader, PdfWriter
from support.layer_packages import link_layer_packages, pinned_versions, run_with_layer_packages
from support.office_files import make_docx, make_xlsx, paragraph, row
from support.pdf_files import THREE_PAGES, to_bytes

from local import sample_pages
from upcall.documents import read_document

URL = "https://example.com/dir/page"

PROGRAM = """
import base64, dataclasses
from pathlib import Path
from upcall.documents.extraction import extract_document
from upcall.documents.content_encoding import decode

results = {}
for name, (media_type, encoding) in json.loads(sys.argv[1]).items():
    body = b"".join(decode([(Path(sys.argv[2]) / name).read_bytes()], [encoding], 10_000_000))
    try:
        found = extract_document(body, media_type, None, needed_characters=10_000, url=URL, name=name)
        results[name] = dataclasses.asdict(found)
    except Exception as error:
        results[name] = f"{type(error).__name__}: {error}"
from importlib.util import find_spec
results["unexpected"] = [name for name in ("pytest", "moto", "rich", "typer") if find_spec(name)]
print(json.dumps(results))
"""


def encrypted(algorithm: str) -> bytes:
    """A PDF that anybody may read, and that is encrypted all the same."""
    writer = PdfWriter(PdfReader(io.BytesIO(THREE_PAGES)))
    writer.encrypt("", "owner", algorithm=algorithm)
    return to_bytes(writer)


def email() -> bytes:
    message = EmailMessage()
    message["From"], message["Subject"] = "Ann <ann@example.com>", "Tides"
    message.set_content("The tide comes twice.")
    message.add_alternative("<p>The tide comes <b>twice</b>.</p>", subtype="html")
    return bytes(message)


def table() -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows([["name", "price"], ["bread", "3"]])
    return out.getvalue().encode()


PAGE = (sample_pages.FOLDER / "lighthouses.html").read_bytes()
CYRILLIC = "<html><body><p>" + "Ветер с моря дул, нагонял беду. " * 20 + "</p></body></html>"

DOCUMENTS: dict[str, tuple[bytes, str, str]] = {
    "page.html": (PAGE, "text/html", ""),
    "cyrillic.html": (CYRILLIC.encode("koi8-r"), "text/html", ""),
    "utf16.html": (PAGE.decode().encode("utf-16"), "text/html", ""),
    "report.pdf": (THREE_PAGES, "application/pdf", ""),
    **{f"{name}.pdf": (encrypted(name), "application/pdf", "") for name in ("RC4-40", "RC4-128")},
    **{
        f"{name}.pdf": (encrypted(name), "application/pdf", "")
        for name in ("AES-128", "AES-256", "AES-256-R5")
    },
    "letter.docx": (make_docx(paragraph("Dear reader."), title="A letter"), "", ""),
    "sheet.xlsx": (make_xlsx({"Prices": row(1, "bread", 3.0)}), "", ""),
    "message.eml": (email(), "message/rfc822", ""),
    "table.csv": (table(), "application/vnd.ms-excel", ""),
    "data.json": (b'{"text": "It rains."}', "application/json", ""),
    "notes.txt": ("Schöne Grüße".encode("latin-1"), "text/plain", ""),
    "notes.txt.gz": (gzip.compress(b"Packed notes."), "application/gzip", ""),
    "gzip.txt": (gzip.compress(b"Sent with gzip."), "text/plain", "gzip"),
    "br.txt": (brotli.compress(b"Sent with brotli."), "text/plain", "br"),
    "zstd.txt": (bytes.fromhex("28b52ffd200f79000053656e742077697468207a7374642e"), "text/plain", "zstd"),
}


@pytest.fixture(scope="module")
def with_layer_packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Each document as it is read with the packages of the layers."""
    packages, files = tmp_path_factory.mktemp("packages"), tmp_path_factory.mktemp("files")
    link_layer_packages(packages)
    for name, (body, _, _) in DOCUMENTS.items():
        (Path(files) / name).write_bytes(body)
    declared = json.dumps(
        {name: (media_type, encoding) for name, (_, media_type, encoding) in DOCUMENTS.items()}
    )
    program = f"URL = {URL!r}\n{PROGRAM}"
    results: dict[str, object] = run_with_layer_packages(packages, program, declared, str(files))
    return results


def test_the_packages_of_a_laptop_are_not_there(with_layer_packages: dict[str, object]) -> None:
    assert with_layer_packages["unexpected"] == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_read_as_on_a_laptop(with_layer_packages: dict[str, object], name: str) -> None:
    body, media_type, encoding = DOCUMENTS[name]
    found = with_layer_packages[name]

    assert isinstance(found, dict), found
    if not encoding:
        here = read_document(body, media_type, None, needed_characters=10_000, url=URL, name=name)
        assert (found["text"], found["title"]) == (here.text, here.title)
        assert [link["url"] for link in found["links"]] == [link.url for link in here.links]
    else:
        assert found["text"].startswith("Sent with")


@pytest.mark.parametrize("name", pinned_versions())
def test_a_laptop_has_the_versions_of_the_layers(name: str) -> None:
    assert version(name) == pinned_versions()[name]
