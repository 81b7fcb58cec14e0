"""The inputs of a batch as lines: of a file with a JSON value per line, or of a CSV file with a header."""

import csv
import io
import json
from collections.abc import Iterator
from typing import IO, AnyStr, BinaryIO, Final, NamedTuple

from upcall.domain.batch import InputFormat
from upcall.domain.batch_request import MAX_LINE_BYTES
from upcall.domain.errors import FieldError, InvalidInput

_BOM: Final = b"\xef\xbb\xbf"
_LINE_END: Final = b"\r\n"
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
    while line := file.readline(MAX_LINE_BYTES + len(_LINE_END)):
        number += 1
        if _is_too_long(line, _LINE_END):
            _skip_rest(file, line, (b"\n",))
            yield InputLine(number, b"", _TOO_LONG)
            continue
        if number == 1:
            line = line.removeprefix(_BOM)
        if data := line.strip():
            yield InputLine(number, data)


def _read_csv(file: BinaryIO) -> Iterator[InputLine]:
    csv.field_size_limit(MAX_LINE_BYTES)
    lines = _TextLines(file)
    reader = csv.reader(lines, strict=True)
    header = _read_header(reader)
    while True:
        number = lines.number + 1
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


class _TextLines:
    """The lines of a file as text. One that is too long is left out, and raises csv.Error.

    `number` is that of the last line.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(MAX_LINE_BYTES + len(_LINE_END))
        if not line:
            raise StopIteration
        self.number += 1
        if _is_too_long(line, _LINE_END.decode()):
            _skip_rest(self._text, line, ("\r", "\n"))
            raise csv.Error(f"line {self.number} {_TOO_LONG}")
        return line


def _is_too_long(line: AnyStr, line_end: AnyStr) -> bool:
    """Whether a line that was read up to the limit has more than that without its end."""
    return len(line.rstrip(line_end)) > MAX_LINE_BYTES or (
        len(line) == MAX_LINE_BYTES + len(line_end) and not line.endswith(line_end[-1:])
    )


def _skip_rest(file: IO[AnyStr], line: AnyStr, newlines: tuple[AnyStr, ...]) -> None:
    while line and not line.endswith(newlines):
        line = file.readline(MAX_LINE_BYTES)


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
