"""The text of a PDF, page by page, no further than it is needed."""

import io
import logging
import mmap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from pypdf import PageObject, PdfReader, apply_configuration
from pypdf.errors import DependencyError, FileNotDecryptedError, WrongPasswordError
from pypdf.generic import IndirectObject, PdfObject

from upcall.documents.document import Document
from upcall.domain.errors import ToolError

MAX_STREAM_BYTES = 5_000_000
"""Of any one stream of a PDF, unpacked: a few bytes may otherwise claim all memory."""

MAX_PAGE_BYTES = 100_000
"""Of the strings that a page shows. A page of a newspaper shows some 30,000."""

MAX_MEMORY_BYTES = 150_000_000
"""Over what there was before: a PDF of some kilobytes may hold a thousand fonts of a megabyte each."""

MAX_TITLE = 500

SECONDS = 20.0
"""For reading. What cannot be read within these bounds is left out, and the text says so."""

_LIMITS: Final[dict[str, Any]] = {
    "maximum_declared_stream_length": 10_000_000,  # a picture may be larger than what is unpacked
    "array_based_stream_maximum_output_length": MAX_STREAM_BYTES,
    "brotli_maximum_output_length": MAX_STREAM_BYTES,
    "lzw_maximum_output_length": MAX_STREAM_BYTES,
    "run_length_maximum_output_length": 1_000_000,  # which takes seventy times that
    "zlib_maximum_output_length": MAX_STREAM_BYTES,
    "zlib_maximum_recovery_input_length": 1_000_000,
    "stream_decoding_work_maximum_length": 4 * MAX_STREAM_BYTES,
    "stream_parsing_work_maximum_count": 500_000,
    "array_maximum_element_count": 50_000,
    "page_tree_maximum_entries": 20_000,
    "page_tree_maximum_page_entries": 200_000,
    "xform_maximum_invocations_per_extraction": 500,
    "jbig2dec_binary": None,
}
"""What keeps each single step to a second or two, and to memory that a small function has."""

_ENCRYPTED = (WrongPasswordError, DependencyError, FileNotDecryptedError)

# what there is to warn of, and how often, is up to whoever made the PDF
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def pdf(body: bytes, enough: int) -> Document:
    """Title and text of a PDF, with as many pages as give `enough` characters. Raises ToolError."""
    budget = _Budget()
    with apply_configuration(**_LIMITS):
        try:
            reader = _Reader(body, budget)
            if reader.is_encrypted and not reader.decrypt(""):
                raise WrongPasswordError
            title = _title(reader)  # first, for the pages may use up the budget
            pages = list(_pages(reader, enough, budget))
        except _ENCRYPTED:
            raise ToolError("the PDF is encrypted and cannot be read") from None
        except _TooMuch:
            raise ToolError("the PDF takes too much time or memory to read") from None
        except Exception as error:  # a broken PDF breaks its reader in any way
            raise ToolError("the PDF is damaged and cannot be read") from error
    if not any(page.strip() for page in pages):
        raise ToolError("the PDF holds no text; its pages may be pictures")
    return Document("".join(pages), title)


class _TooMuch(BaseException):
    """Not an Exception, of which pypdf catches every one in many places, and goes on."""


class _PageTooLong(BaseException):
    """The same, for a page that shows more than any page does."""


class _Budget:
    """What reading may take. It is looked at in the middle of things, for pypdf does not look."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._deadline = now + SECONDS
        self._next_look = now
        self._most = _resident_bytes() + MAX_MEMORY_BYTES

    def check(self) -> None:
        now = time.monotonic()
        if now > self._deadline:
            raise _TooMuch
        if now > self._next_look:
            self._next_look = now + 0.05
            if _resident_bytes() > self._most:
                raise _TooMuch


def _resident_bytes() -> int:
    """Memory that the process has at the moment; 0 where the system does not tell, as outside of Linux."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * mmap.PAGESIZE


class _Source(io.BytesIO):
    """The bytes of a PDF. Whatever sends its reader about in them without end is found out here."""

    def __init__(self, body: bytes, budget: _Budget) -> None:
        super().__init__(body)
        self._budget = budget

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._budget.check()
        return super().seek(offset, whence)


class _Reader(PdfReader):
    """The objects of a PDF: one costs much where it is missing, or where many fonts share its table."""

    def __init__(self, body: bytes, budget: _Budget) -> None:
        self._budget = budget
        super().__init__(_Source(body, budget))

    def get_object(self, indirect_reference: int | IndirectObject) -> PdfObject | None:
        self._budget.check()
        return super().get_object(indirect_reference)


def _pages(reader: PdfReader, enough: int, budget: _Budget) -> Iterator[str]:
    length, count, error = 0, len(reader.pages), None
    for number in range(count):
        if length > enough:
            return
        try:
            page = _text(reader.pages[number], budget)
        except _ENCRYPTED:
            raise
        except _TooMuch:
            if not length:
                raise
            yield f"[cut: pages {number + 1} to {count} take too much time or memory]"
            return
        except (Exception, _PageTooLong) as damage:  # one page may be broken, and the others good
            error = damage
            page = f"[page {number + 1} could not be read]"
        else:
            length += len(page)
        yield page + "\n\n"
    if error and not length:
        raise ValueError("no page could be read") from error


def _text(page: PageObject, budget: _Budget) -> str:
    shown = 0

    def watch(_: object, operands: object, *__: object) -> None:
        nonlocal shown
        budget.check()
        shown += _string_bytes(operands)
        if shown > MAX_PAGE_BYTES:
            raise _PageTooLong

    return page.extract_text(visitor_operand_before=watch)


def _string_bytes(operands: object) -> int:
    """The length of all strings of an operation; only TJ has an array of them, and no deeper one."""
    count = 0
    for operand in operands if isinstance(operands, list) else ():
        for each in operand if isinstance(operand, list) else (operand,):
            if isinstance(each, str | bytes):
                count += len(each)
    return count


def _title(reader: PdfReader) -> str | None:
    try:
        title = reader.metadata.title if reader.metadata else None
    except Exception:  # a text without its title is better than none
        return None
    return " ".join(title.split())[:MAX_TITLE] or None if isinstance(title, str) else None
