"""Keeps the items of the table in a file between commands, because moto holds them in memory only.

The file has one item a line. It is replaced as a whole, never changed in place. Two commands that run at the
same time keep each other's runs: each merges its items into what the file holds when it saves.
"""

import contextlib
import fcntl
import json
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
        self._saved: dict[tuple[str, str], Item] = {}

    def load(self) -> "Collection[Item]":
        """The items of the file, except those that have expired."""
        self._saved = self._read()
        return self._saved.values()

    def save(self, items: "Iterable[Item]") -> bool:
        """Merge the items of the table into the file. Returns whether any of them has changed."""
        current = {_key(item): item for item in items}
        if current == self._saved:
            return False
        with self._locked():
            merged = {**self._read(), **current}.values()
            write_atomically(self.path, "".join(json.dumps(item) + "\n" for item in merged).encode())
        self._saved = current
        return True

    def _read(self) -> "dict[tuple[str, str], Item]":
        try:
            lines = self.path.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return {}
        items = [json.loads(line) for line in lines]
        now = time.time()
        return {_key(item): item for item in items if int(item["expires_at"]["N"]) > now}

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _key(item: "Item") -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]
