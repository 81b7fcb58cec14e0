import io
import json
import tracemalloc
from typing import Any

import pytest

from upcall.domain import batch_input
from upcall.domain.batch_input import InputLine, read_lines
from upcall.domain.errors import InvalidInput

BOM = b"\xef\xbb\xbf"
TOO_LONG = "has more than 1,000 bytes"


@pytest.fixture(autouse=True)
def _short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_input, "MAX_LINE_BYTES", 1000)
    monkeypatch.setattr(batch_input, "_TOO_LONG", TOO_LONG)


def jsonl(content: bytes) -> list[InputLine]:
    return list(read_lines(io.BytesIO(content), "jsonl"))


def csv_lines(content: bytes) -> list[tuple[int, Any]]:
    """The number of each line, and its object or its error."""
    return [
        (line.number, line.error or json.loads(line.data)) for line in read_lines(io.BytesIO(content), "csv")
    ]


def header_error(content: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        csv_lines(content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n\n \n\t\r\n", []),
        (BOM, []),
        (b'"a"\n"b"\n', [(1, b'"a"'), (2, b'"b"')]),
        (b'"a"\n"b"', [(1, b'"a"'), (2, b'"b"')]),
        (b'"a"\r\n"b"\r\n', [(1, b'"a"'), (2, b'"b"')]),
        (BOM + b'"a"\n', [(1, b'"a"')]),
        (BOM + b'\n"a"\n', [(2, b'"a"')]),
        (b'\n"a"\n\n \n"b"\n\n', [(2, b'"a"'), (5, b'"b"')]),
        (b'  "a"  \n', [(1, b'"a"')]),
        (b'"\xff"\n{\n', [(1, b'"\xff"'), (2, b"{")]),
        ('"a\u2028b\x85"\n"c"'.encode(), [(1, '"a\u2028b\x85"'.encode()), (2, b'"c"')]),
        (b"\0\n", [(1, b"\0")]),
    ],
)
def test_a_line_of_json_has_its_number_in_the_file(content: bytes, lines: list[tuple[int, bytes]]) -> None:
    assert [(line.number, line.data) for line in jsonl(content)] == lines
    assert all(not line.error for line in jsonl(content))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_may_be_as_long_as_the_limit_without_its_end(end: bytes) -> None:
    longest = b'"' + b"x" * 998 + b'"'

    assert jsonl(longest + end) == [InputLine(1, longest)]


@pytest.mark.parametrize("size", [1001, 1002, 1003, 1999, 2000, 2001, 2002, 5000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_line_that_is_too_long_is_an_error_amid_good_ones(size: int, end: bytes) -> None:
    content = b'"a"' + end + b"x" * size + end + b'"b"' + end

    assert jsonl(content) == [InputLine(1, b'"a"'), InputLine(2, b"", TOO_LONG), InputLine(3, b'"b"')]
    assert jsonl(b"x" * size) == [InputLine(1, b"", TOO_LONG)]


@pytest.mark.parametrize("input_format", ["jsonl", "csv"])
def test_a_line_without_an_end_is_never_in_memory(input_format: Any) -> None:
    class Endless(io.RawIOBase):
        left = 50_000_000

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            size = min(len(buffer), self.left)
            self.left -= size
            buffer[:size] = b"x" * size
            return size

    good = b"prompt\n" if input_format == "csv" else b'"a"\n'
    file = io.BufferedReader(_Chain(good, Endless()), 100_000)
    tracemalloc.start()
    try:
        lines = list(read_lines(file, input_format))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert lines[-1].error
    assert peak < 5_000_000


class _Chain(io.RawIOBase):
    """Some bytes, then a file."""

    def __init__(self, first: bytes, rest: io.RawIOBase) -> None:
        self._first, self._rest = first, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._first:
            return self._rest.readinto(buffer)
        size = len(self._first)
        buffer[:size], self._first = self._first, b""
        return size


def test_a_record_is_an_object_of_its_columns() -> None:
    assert csv_lines(b"city,custom_id\nOslo,1\nBergen,2\n") == [
        (2, {"city": "Oslo", "custom_id": "1"}),
        (3, {"city": "Bergen", "custom_id": "2"}),
    ]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\n", []),
        (b"a", []),
        (BOM + b"a\nx\n", [(2, {"a": "x"})]),
        (b"a\r\nx\r\n", [(2, {"a": "x"})]),
        (b"a\rx\r", [(2, {"a": "x"})]),
        (b"a\nx", [(2, {"a": "x"})]),
        (b"a\n\n\nx\n\n", [(4, {"a": "x"})]),
        (b" a , b \n1,2\n", [(2, {"a": "1", "b": "2"})]),
        (b"a,b\n,\n", [(2, {"a": "", "b": ""})]),
        (b'a,b\n"x, y","say ""hi"""\n', [(2, {"a": "x, y", "b": 'say "hi"'})]),
        (b'a\n"one\ntwo\n\nfour"\nx\n', [(2, {"a": "one\ntwo\n\nfour"}), (6, {"a": "x"})]),
        (b'a\r\n"one\r\ntwo"\r\nx\r\n', [(2, {"a": "one\r\ntwo"}), (4, {"a": "x"})]),
        (b'"a\nb"\nx\n', [(3, {"a\nb": "x"})]),
        ("a\nGrüße 😀\u2028\n".encode(), [(2, {"a": "Grüße 😀\u2028"})]),
        (b"a\nx\0y\n", [(2, {"a": "x\0y"})]),
        (b"a;b\n1;2\n", [(2, {"a;b": "1;2"})]),
    ],
)
def test_a_record_counts_by_its_first_line(content: bytes, lines: list[tuple[int, Any]]) -> None:
    assert csv_lines(content) == lines


def test_records_with_other_numbers_of_fields_are_errors_amid_good_ones() -> None:
    assert csv_lines(b"a,b\n1\n1,2\n1,2,3\n1,2\n") == [
        (2, "has 1 fields; the header has 2"),
        (3, {"a": "1", "b": "2"}),
        (4, "has 3 fields; the header has 2"),
        (5, {"a": "1", "b": "2"}),
    ]


@pytest.mark.parametrize("content", [b"", b"\n", b",b\n1,2\n", b"a,\n1,2\n", b"a, ,c\n", BOM])
def test_a_file_must_begin_with_a_header(content: bytes) -> None:
    assert header_error(content) == "input_key: the file must begin with a header of named columns"


@pytest.mark.parametrize("content", [b"a,a\n", b"a,b, a\n1,2,3\n"])
def test_a_header_that_names_a_column_twice_is_an_error(content: bytes) -> None:
    assert header_error(content) == "input_key: the header names 'a' more than once"


def test_a_header_that_is_no_csv_is_an_error() -> None:
    assert header_error(b'"a"x,b\n').startswith("input_key: the header is not CSV: ")
    assert header_error(b"x" * 2000).endswith(f"line 1 {TOO_LONG}")


def test_a_quote_that_is_never_closed_is_an_error_of_its_record() -> None:
    """Otherwise the rest of the file would be one prompt."""
    assert csv_lines(b'a\nx\n"y\nz\n') == [(2, {"a": "x"}), (3, "is not CSV: unexpected end of data")]


def test_a_quote_that_is_not_closed_for_longer_than_a_line_may_be_is_one_error() -> None:
    content = b'a\nx\n"y\n' + b"z" * 300 + b"\n" + b"z" * 300 + b"\n" + b"z" * 500 + b"\nlast\n"

    lines = csv_lines(content)
    assert lines[0] == (2, {"a": "x"})
    assert lines[1] == (3, "is not CSV: field larger than field limit (1000)")
    assert lines[-1] == (7, {"a": "last"})


@pytest.mark.parametrize("size", [1001, 1002, 1003, 2000, 5000])
def test_a_line_of_csv_that_is_too_long_is_an_error_amid_good_ones(size: int) -> None:
    assert csv_lines(b"a\nx\n" + b"y" * size + b"\nz\n") == [
        (2, {"a": "x"}),
        (3, f"is not CSV: line 3 {TOO_LONG}"),
        (4, {"a": "z"}),
    ]


def test_a_record_that_is_too_long_as_json_is_an_error() -> None:
    assert csv_lines(b"a,b\n" + b"y" * 495 + b"," + b"y" * 495 + b"\nx,y\n") == [
        (2, TOO_LONG),
        (3, {"a": "x", "b": "y"}),
    ]


def test_bytes_of_another_encoding_are_halves_of_surrogate_pairs_which_no_prompt_may_have() -> None:
    ((number, fields),) = csv_lines("a\ncafé\n".encode("latin-1"))

    assert (number, fields) == (2, {"a": "caf\udce9"})


def test_text_after_a_closing_quote_is_an_error_of_its_line() -> None:
    assert csv_lines(b'a\n"x"y\nz\n') == [
        (2, "is not CSV: ',' expected after '\"'"),
        (3, {"a": "z"}),
    ]
