"""Writes the results of a batch to a file."""

from collections.abc import Iterable
from pathlib import Path

from cli.errors import CommandError


def write_results(lines: Iterable[bytes], path: Path) -> int:
    """Write the lines to a file, and return their number. Raises CommandError."""
    count = 0
    try:
        with path.open("wb") as file:
            for line in lines:
                file.write(line + b"\n")
                count += 1
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}") from None
    return count
