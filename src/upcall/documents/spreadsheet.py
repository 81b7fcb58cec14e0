"""The text of a spreadsheet (.xlsx, .xlsm, .xlsb, .xls, .ods): the rows of its sheets as CSV."""

import csv
import datetime
import io
import zipfile
from collections.abc import Iterable
from typing import Final

from python_calamine import CalamineError, CalamineSheet, PasswordError, SheetVisibleEnum, load_workbook

from upcall.documents.archive import open_zip
from upcall.documents.document import Document
from upcall.domain.errors import ToolError

MAX_EXPANDED_BYTES: Final = 250_000_000
"""Of all parts after decompression. A workbook of 10 MB has about 100."""

Cell = int | float | str | bool | datetime.time | datetime.date | datetime.datetime | datetime.timedelta


def read_spreadsheet(body: bytes, needed_characters: int) -> Document:
    """The visible sheets without empty rows, each with its name if there are several. Raises ToolError."""
    if zipfile.is_zipfile(io.BytesIO(body)):
        with open_zip(body) as archive:
            if sum(each.file_size for each in archive.infolist()) > MAX_EXPANDED_BYTES:
                raise ToolError(f"the spreadsheet expands to more than {MAX_EXPANDED_BYTES:,} bytes")
    try:
        text = _read_sheets(body, needed_characters)
    except PasswordError:
        raise ToolError("the spreadsheet is encrypted and cannot be read") from None
    except CalamineError as error:
        raise ToolError(
            "the file is damaged, or of an old format that cannot be read, such as .doc or .ppt"
        ) from error
    except BaseException as error:
        if type(error).__name__ == "PanicException":  # of Rust, which cannot be imported, and is no Exception
            raise ToolError("the spreadsheet is damaged, or too large to read") from error
        raise
    if not text:
        raise ToolError("the spreadsheet contains no values")
    return Document(text)


def _read_sheets(body: bytes, needed_characters: int) -> str:
    out = io.StringIO()
    with load_workbook(io.BytesIO(body)) as workbook:
        names = [each.name for each in workbook.sheets_metadata if each.visible == SheetVisibleEnum.Visible]
        for name in names:
            if len(names) > 1:
                out.write(f"\n[sheet: {name}]\n")
            _write_rows(workbook.get_sheet_by_name(name), out, needed_characters)
            if out.tell() > needed_characters + 1:
                break
    return out.getvalue().strip("\n")


def _write_rows(sheet: CalamineSheet, out: io.StringIO, needed_characters: int) -> None:
    writer = csv.writer(out, lineterminator="\n")
    for row in sheet.iter_rows():
        if row.count("") < len(row):
            writer.writerow(_without_trailing_blanks(map(_text, row)))
        if out.tell() > needed_characters + 1:
            return


def _without_trailing_blanks(cells: Iterable[str]) -> list[str]:
    kept = list(cells)
    while kept and not kept[-1]:
        kept.pop()
    return kept


def _text(cell: Cell) -> str:
    """A value as a person would see it: no more digits than Excel has."""
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, float):
        return format(cell, ".15g")
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(" ")
    return str(cell)
