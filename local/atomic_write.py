"""Replaces files as a whole."""

import os
from pathlib import Path


def write_atomically(path: Path, content: bytes) -> None:
    """Write a new file and move it into place, so that a reader sees either the old content or the new."""
    new = path.with_suffix(f".{os.getpid()}.new")
    try:
        with new.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
