"""Keeps the items of the table in a file between commands, because moto holds them in memory only.

The file has one item a line. A changed item is appended; the last line of an item counts. Two commands that
run at the same time keep each other's runs. When the file is read, lines that do not count are removed.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from local.atomic_write import write_atomically

if TYPE_CHECKING:
    from local.dynamodb import Item


class TableFile:
    """A file with the items of one table."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def load(self) -> "Collection[Item]":
        """The items of the file, except those that have expired."""
        with self._locked():
            try:
                text = self.path.read_text("utf-8", errors="replace")
            except FileNotFoundError:
                return ()
            now = time.time()
            items = {_key(item): item for item in _parse(text) if _expires_at(item) > now}
            if len(items) != text.count("\n") or not text.endswith("\n"):
                write_atomically(self.path, _to_lines(items.values()).encode())
            return items.values()

    def save(self, changed: "Iterable[Item]") -> bool:
        """Append items that have changed. Returns whether there were some."""
        lines = _to_lines(changed)
        if not lines:
            return False
        with self._locked(), self.path.open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
        return True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _parse(text: str) -> "Iterator[Item]":
    """The items of the lines. One that a command did not write to its end is left out."""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            yield json.loads(line)


def _to_lines(items: "Iterable[Item]") -> str:
    return "".join(f"{json.dumps(item)}\n" for item in items)


def _expires_at(item: "Item") -> float:
    return float(item["expires_at"]["N"]) if "expires_at" in item else float("inf")


def _key(item: "Item") -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
