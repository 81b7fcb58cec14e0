"""The worker process that reads documents: what ends it, what it cannot do, and that the next document is read."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.office_files import make_docx, make_xlsx, paragraph, row
from support.pdf_files import THREE_PAGES

from local.config import ROOT
from upcall.documents import Document, extraction, read_document
from upcall.documents.extraction import extract_document
from upcall.domain.errors import InternalError, ToolError

ENVIRONMENT = {"PYTHONPATH": ":".join(str(ROOT / folder) for folder in ("src", "tests", ""))}

needs_linux = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="it looks into /proc")

SLOW_PAGE = b"<p>" + b"a&amp;" * 1_500_000


@pytest.fixture(autouse=True)
def new_worker() -> Iterator[None]:
    """End the worker before and after each test."""
    extraction._worker.stop()
    yield
    extraction._worker.stop()


def extract(body: bytes, media_type: str = "", needed_characters: int = 10**6) -> Document:
    return extract_document(body, media_type, None, needed_characters=needed_characters)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (
            b"<html><title>T</title><body><p>Hello <a href='https://example.com/'>there</a></p></body>",
            "text/html",
        ),
        ("Grüße, 潮 and 😀".encode(), "text/plain"),
        (THREE_PAGES, "application/pdf"),
        (make_docx(paragraph("One."), title="A report"), ""),
    ],
)
def test_the_worker_reads_what_is_read_without_it(body: bytes, media_type: str) -> None:
    assert extract(body, media_type) == read_document(body, media_type, None, needed_characters=10**6)


def test_an_error_for_the_model_is_passed_on_and_the_worker_goes_on() -> None:
    extract(b"words")
    process = extraction._worker._process

    with pytest.raises(ToolError, match="the PDF is damaged"):
        extract(b"%PDF-1.4 not a good one")
    assert extract(b"words").text == "words"
    assert extraction._worker._process is process


def test_a_worker_that_cannot_start_is_an_error_that_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "_PROGRAM", "import sys; sys.exit(1)")
    with pytest.raises(InternalError, match="does not start: it ends at once"):
        extract(b"words")

    without_library = "import sys; sys.modules['pypdf'] = None\n"
    monkeypatch.undo()
    monkeypatch.setattr(extraction, "_PROGRAM", without_library + extraction._PROGRAM)
    with pytest.raises(InternalError, match=r"does not start: ModuleNotFoundError at .*pdf\.py"):
        extract(b"words")


def test_the_text_is_cut_after_one_character_more_than_needed() -> None:
    assert extract(b"x" * 1000, needed_characters=10).text == "x" * 11


@needs_linux
@pytest.mark.parametrize("cell", ["XFD1048576", "ZZZZZZ1048576", "ZZZZZZ2147483648", "A4294967295"])
def test_a_document_that_takes_too_much_memory_is_an_error_and_the_next_is_read(cell: str) -> None:
    """A table of billions of cells, of which two have a value. The reader ends the process, or panics."""
    number = cell.lstrip("ADFXZ")
    rows = f'{row(1, "a")}<row r="{number}"><c r="{cell}"><v>1</v></c></row>'
    with pytest.raises(
        ToolError, match="takes more memory than there is|damaged, or too large to read|the file is damaged"
    ):
        extract(make_xlsx({"S": rows}))
    assert extract(b"words").text == "words"


def test_a_document_that_takes_too_long_is_an_error_and_the_next_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extract(b"words")
    monkeypatch.setattr(extraction, "MAX_SECONDS", 0.1)
    with pytest.raises(ToolError, match="too complex to read: reading it takes more than 0 seconds"):
        extract(SLOW_PAGE, "text/html", 10**7)
    monkeypatch.undo()

    assert extract(b"words").text == "words"


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_ended_between_two_documents_is_replaced(ending: signal.Signals) -> None:
    extract(b"words")
    process = extraction._worker._process
    assert process
    process.send_signal(ending)
    process.wait()

    assert extract(b"words").text == "words"


def test_a_defect_is_an_error_that_says_where_it_is_and_the_next_document_is_read() -> None:
    with pytest.raises(InternalError, match=r"a document was not read: \w+Error at .*media_type\.py:\d+"):
        extract_document(b"words", None, None, needed_characters=10)  # type: ignore[arg-type]
    assert extract(b"words").text == "words"


@needs_linux
def test_a_worker_that_keeps_much_memory_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    worker = "upcall.documents.extraction_worker"
    lower_limit = f"import {worker}; {worker}.MAX_IDLE_MEMORY_BYTES = 1; main()"
    monkeypatch.setattr(extraction, "_PROGRAM", extraction._PROGRAM.replace("main()", lower_limit))

    assert extract(b"words").text == "words"
    assert extraction._worker._process is None
    assert extract(b"more words").text == "more words"


def test_threads_take_turns() -> None:
    with ThreadPoolExecutor(8) as pool:
        documents = list(pool.map(lambda n: extract(f"words {n}".encode()), range(40)))

    assert [document.text for document in documents] == [f"words {n}" for n in range(40)]


@needs_linux
def test_the_worker_sees_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")
    extract(b"words")
    process = extraction._worker._process

    assert process
    assert b"planted" not in Path(f"/proc/{process.pid}/environ").read_bytes()


def test_on_lambda_the_worker_takes_the_bytecode_of_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a folder of its own for bytecode, Python does not look at that beside the code."""
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1")
    extract(b"words")

    assert extraction._worker._process
    assert "pycache_prefix" not in str(extraction._worker._process.args)


def test_the_libraries_are_imported_in_the_worker_alone() -> None:
    code = """
import sys
from upcall.documents.extraction import extract_document
extract_document(b"<html><p>hello", "text/html", None, needed_characters=10)
libraries = ("trafilatura", "lxml", "pypdf", "python_calamine", "charset_normalizer", "xtractmime")
print([each for each in libraries if each in sys.modules])
"""
    process = subprocess.run(
        [sys.executable, "-c", code], env=ENVIRONMENT, capture_output=True, text=True, check=True
    )

    assert process.stdout.strip() == "[]"


@needs_linux
@pytest.mark.parametrize("state", ["idle", "busy"])
def test_the_worker_ends_with_its_client(state: str) -> None:
    """A busy one ends with its document."""
    code = f"""
import sys
from upcall.documents import extraction
extraction.extract_document(b"words", "", None, needed_characters=10)
print(extraction._worker._process.pid, flush=True)
if {state == "busy"}:
    extraction.extract_document(b"<p>" + b"a&amp;" * 1_500_000, "text/html", None, needed_characters=10**7)
sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env=ENVIRONMENT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout
        worker = int(client.stdout.readline())
        client.kill()

    end = time.monotonic() + 60
    while (
        Path(f"/proc/{worker}/cmdline").exists() and b"upcall" in Path(f"/proc/{worker}/cmdline").read_bytes()
    ):
        assert time.monotonic() < end, "the worker goes on without its client"
        time.sleep(0.05)
