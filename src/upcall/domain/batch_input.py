"""The inputs of a batch as lines: of a file with a JSON value per line, or of a CSV file with a header."""

import csv
import io
import json
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from upcall.domain.batch import InputFormat
from upcall.domain.batch_request import MAX_LINE_BYTES
from upcall.domain.errors import FieldError, InvalidInput

_BOM: Final = b"\xef\xbb\xbf"
_TOO_LONG: Final = f"has more than {MAX_LINE_BYTES:,} bytes"


class InputLine(NamedTuple):
    """A line by its number in the file: a JSON value, or why it could not be read."""

    number: int
    data: bytes
    error: str = ""


def read_lines(file: BinaryIO, input_format: InputFormat) -> Iterator[InputLine]:
    """The lines of a file, one after the other. Empty ones are left out.

    A record of a CSV file counts by its first line. It becomes a JSON object of its columns. Raises
    InvalidInput for a CSV file without a header that names each column once.
    """
    return _read_json_lines(file) if input_format == "jsonl" else _read_csv(file)


def _read_json_lines(file: BinaryIO) -> Iterator[InputLine]:
    number = 0
    while line := file.readline(MAX_LINE_BYTES + 2):
        number += 1
        too_long = len(line) > MAX_LINE_BYTES + 1 or (
            len(line) == MAX_LINE_BYTES + 1 and not line.endswith(b"\n")
        )
        if too_long:
            _skip_rest(file, line)
            yield InputLine(number, b"", _TOO_LONG)
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if data := line.strip():
            yield InputLine(number, data)


def _skip_rest(file: BinaryIO, line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = file.readline(MAX_LINE_BYTES)


def _read_csv(file: BinaryIO) -> Iterator[InputLine]:
    csv.field_size_limit(MAX_LINE_BYTES)
    text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
    reader = csv.reader(text)
    header = _read_header(reader)
    while True:
        number = reader.line_num + 1
        try:
            record = next(reader, None)
        except csv.Error as error:
            yield InputLine(number, b"", f"is not CSV: {error}")
            continue
        if record is None:
            return
        if not record:
            continue
        if len(record) != len(header):
            yield InputLine(number, b"", f"has {len(record)} fields; the header has {len(header)}")
            continue
        data = json.dumps(dict(zip(header, record, strict=True))).encode()
        yield InputLine(number, *((b"", _TOO_LONG) if len(data) > MAX_LINE_BYTES else (data, "")))


def _read_header(reader: "Iterator[list[str]]") -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise InvalidInput(FieldError("input_key", f"the header is not CSV: {error}")) from None
    if not header or not all(header):
        raise InvalidInput(FieldError("input_key", "the file must begin with a header of named columns"))
    for name in header:
        if header.count(name) > 1:
            raise InvalidInput(FieldError("input_key", f"the header names {name!r} more than once"))
    return header
