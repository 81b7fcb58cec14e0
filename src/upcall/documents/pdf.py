"""The title and text of a PDF, page by page, within limits of time and memory."""

import io
import logging
import time
from collections.abc import Iterator
from typing import Any, Final

from pypdf import PageObject, PdfReader, apply_configuration
from pypdf.errors import DependencyError, FileNotDecryptedError, WrongPasswordError
from pypdf.generic import IndirectObject, PdfObject

from upcall.documents.document import Document
from upcall.documents.limits import LimitExceeded, resident_bytes, time_limit
from upcall.domain.errors import ToolError

MAX_STREAM_BYTES = 5_000_000
"""Of one stream of a PDF after decompression. Without a limit, a few bytes can fill the memory."""

MAX_PAGE_BYTES = 100_000
"""Of the strings that a page shows. A newspaper page has about 30,000."""

MAX_MEMORY_BYTES = 150_000_000
"""On top of the memory in use before. A PDF of some kilobytes can contain a thousand fonts of a megabyte."""

MEMORY_CHECK_SECONDS = 0.05
"""Between two checks of the memory, which are slow."""

MAX_TITLE_CHARACTERS = 500

MAX_SECONDS = 8.0
"""For the whole PDF. Pages that exceed a limit are left out, and the text says so."""

MAX_OVERTIME_SECONDS = 1.0
"""Then the step is interrupted in which the time ran out. Steps that check the budget end by themselves."""

_PYPDF_LIMITS: Final[dict[str, Any]] = {
    "maximum_declared_stream_length": 10_000_000,  # larger, because pictures are not decompressed
    "array_based_stream_maximum_output_length": MAX_STREAM_BYTES,
    "brotli_maximum_output_length": MAX_STREAM_BYTES,
    "lzw_maximum_output_length": MAX_STREAM_BYTES,
    "run_length_maximum_output_length": 1_000_000,  # takes seventy times as much memory
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
"""Keeps each step of pypdf to about two seconds, and to the memory of a small function."""

_ENCRYPTION_ERRORS = (WrongPasswordError, DependencyError, FileNotDecryptedError)

# a PDF can cause any number of warnings
logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def read_pdf(body: bytes, needed_characters: int) -> Document:
    """Title and text of a PDF, up to the page that reaches `needed_characters`. Raises ToolError."""
    budget = _Budget()
    with apply_configuration(**_PYPDF_LIMITS), time_limit(MAX_SECONDS + MAX_OVERTIME_SECONDS):
        try:
            reader = _BudgetedReader(body, budget)
            if reader.is_encrypted and not reader.decrypt(""):
                raise WrongPasswordError
            title = _title(reader)  # first, because the pages may use up the budget
            pages = list(_pages(reader, needed_characters, budget))
        except _ENCRYPTION_ERRORS:
            raise ToolError("the PDF is encrypted and cannot be read") from None
        except (LimitExceeded, MemoryError):
            raise ToolError("the PDF takes too much time or memory to read") from None
        except Exception as error:  # pypdf raises errors of any kind for a damaged PDF
            raise ToolError("the PDF is damaged and cannot be read") from error
    if not any(page.strip() for page in pages):
        raise ToolError("the PDF contains no text; its pages may be images")
    return Document("".join(pages), title)


class _PageTooLong(BaseException):
    """The page shows more than MAX_PAGE_BYTES. No Exception, because pypdf catches those and continues."""


class _Budget:
    """The time and memory that reading may take. pypdf has no such limits, so its inner steps check these."""

    def __init__(self) -> None:
        now = time.monotonic()
        self._deadline = now + MAX_SECONDS
        self._next_memory_check = now
        self._max_resident_bytes = resident_bytes() + MAX_MEMORY_BYTES

    def check(self) -> None:
        """Raise LimitExceeded if it is used up."""
        now = time.monotonic()
        if now > self._deadline:
            raise LimitExceeded
        if now > self._next_memory_check:
            self._next_memory_check = now + MEMORY_CHECK_SECONDS
            if resident_bytes() > self._max_resident_bytes:
                raise LimitExceeded


class _BudgetedStream(io.BytesIO):
    """The bytes of a PDF. A seek checks the budget: a PDF can make its reader seek without end."""

    def __init__(self, body: bytes, budget: _Budget) -> None:
        super().__init__(body)
        self._budget = budget

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._budget.check()
        return super().seek(offset, whence)


class _BudgetedReader(PdfReader):
    """A reader that checks the budget for each object: a missing one is slow, and so are large fonts."""

    def __init__(self, body: bytes, budget: _Budget) -> None:
        self._budget = budget
        super().__init__(_BudgetedStream(body, budget))

    def get_object(self, indirect_reference: int | IndirectObject) -> PdfObject | None:
        self._budget.check()
        return super().get_object(indirect_reference)


def _pages(reader: PdfReader, needed_characters: int, budget: _Budget) -> Iterator[str]:
    length, count, page_error = 0, len(reader.pages), None
    for number in range(count):
        if length > needed_characters:
            return
        try:
            page = _page_text(reader.pages[number], budget)
        except _ENCRYPTION_ERRORS:
            raise
        except (LimitExceeded, MemoryError):
            if not length:
                raise
            yield f"[pages {number + 1} to {count} are left out: they take too much time or memory to read]"
            return
        except (Exception, _PageTooLong) as error:  # the other pages may be readable
            page_error = error
            page = f"[page {number + 1} could not be read]"
        else:
            length += len(page)
        yield page + "\n\n"
    if page_error and not length:
        raise ValueError("no page could be read") from page_error


def _page_text(page: PageObject, budget: _Budget) -> str:
    string_bytes = 0

    def check_operation(_: object, operands: object, *__: object) -> None:
        nonlocal string_bytes
        budget.check()
        string_bytes += _string_bytes(operands)
        if string_bytes > MAX_PAGE_BYTES:
            raise _PageTooLong

    return page.extract_text(visitor_operand_before=check_operation)


def _string_bytes(operands: object) -> int:
    """The length of all strings of an operation. Only TJ has an array of strings, and arrays do not nest."""
    count = 0
    for operand in operands if isinstance(operands, list) else ():
        for each in operand if isinstance(operand, list) else (operand,):
            if isinstance(each, str | bytes):
                count += len(each)
    return count


def _title(reader: PdfReader) -> str | None:
    try:
        title = reader.metadata.title if reader.metadata else None
    except Exception:  # the text is useful without the title
        return None
    return " ".join(title.split())[:MAX_TITLE_CHARACTERS] or None if isinstance(title, str) else None
