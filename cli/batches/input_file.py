"""A file with the inputs of a batch: its format, and its lines if they fit into a request."""

import csv
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn, cast, get_args

from cli.errors import CommandError
from upcall.domain.batch import InputFormat
from upcall.domain.batch_request import MAX_INLINE_INPUTS, fill_template
from upcall.domain.errors import InvalidInput

STANDARD_INPUT = "-"

MAX_INLINE_BYTES = 900_000
"""Of a file that is sent with the request, whose body may have 1 MB."""

MEMORY_BYTES = 16 * 1024 * 1024
"""Of standard input. What is longer is written to a temporary file."""

_FORMATS: dict[str, InputFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


class NotInline(Exception):
    """The file must be uploaded. The message says why, as a clause about the file."""


@dataclass(frozen=True)
class InputFile:
    """An open file that can be read more than once. `size` is in bytes."""

    name: str
    file: BinaryIO
    size: int
    format: InputFormat


@contextmanager
def open_input_file(path: str, input_format: InputFormat | None) -> Iterator[InputFile]:
    """Open a file; `-` is standard input, which is JSONL unless the format is given. Raises CommandError."""
    if path == STANDARD_INPUT:
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
            yield _input_file("standard input", cast("BinaryIO", copy), input_format or "jsonl")
        return
    found = input_format or _FORMATS.get(Path(path).suffix.lower())
    if found is None:
        names = " or ".join(get_args(InputFormat))
        raise CommandError(f"the name of {path} does not tell its format: give --format {names}")
    try:
        file = Path(path).open("rb")  # noqa: SIM115  # errors of reading it later are others
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        if not file.seekable():
            raise CommandError(f"{path} is not a file: give - to read standard input")
        yield _input_file(path, file, found)


def _input_file(name: str, file: BinaryIO, input_format: InputFormat) -> InputFile:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not size:
        raise CommandError(f"{name} is empty")
    return InputFile(name, file, size, input_format)


def check_columns(source: InputFile, prompt_template: str | None) -> None:
    """Raise CommandError for a CSV file whose columns cannot become prompts: every line would fail."""
    if source.format != "csv":
        return
    text = io.TextIOWrapper(source.file, encoding="utf-8-sig", errors="replace", newline="")
    try:
        columns = [name.strip() for name in next(csv.reader(text), [])]
    except csv.Error as error:
        raise CommandError(f"the header of {source.name} is not CSV: {error}") from None
    finally:
        text.detach()
        source.file.seek(0)
    if prompt_template is None:
        if "prompt" not in columns:
            raise CommandError(
                f"{source.name} has no column 'prompt': give --prompt-template a text with "
                f"{', '.join(f'{{{{{name}}}}}' for name in columns)}"
            )
        return
    try:
        fill_template(prompt_template, dict.fromkeys(columns, ""))
    except InvalidInput as error:
        raise CommandError(f"{error}; the columns of {source.name} are {', '.join(columns)}") from None


def read_inline_inputs(source: InputFile) -> tuple[str | dict[str, Any], ...]:
    """The inputs of a small JSONL file. Raises NotInline.

    Results name lines by their number in the file. So a file with empty lines, or with lines that cannot be
    read, is uploaded.
    """
    if source.format != "jsonl":
        raise NotInline(f"is {source.format.upper()}")
    if source.size > MAX_INLINE_BYTES:
        raise NotInline(f"has more than {MAX_INLINE_BYTES:,} bytes")
    try:
        lines = source.file.read().decode("utf-8-sig").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        raise NotInline("is not UTF-8") from None
    finally:
        source.file.seek(0)
    if len(lines) > MAX_INLINE_INPUTS:
        raise NotInline(f"has more than {MAX_INLINE_INPUTS:,} lines")
    return tuple(_read_line(number, line) for number, line in enumerate(lines, start=1))


def _read_line(number: int, line: str) -> str | dict[str, Any]:
    try:
        value = json.loads(line, parse_constant=_reject_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise NotInline(f"has a line {number} that is not JSON") from None
    if not isinstance(value, str | dict):
        raise NotInline(f"has a line {number} that is neither a string nor an object")
    return value


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
