"""The table, kept in a file from one command to the next, because moto forgets.

The file holds one item a line, in DynamoDB's JSON. It is written whole or not at all. Two commands at
once do not lose each other's runs: each writes its own items over what the file holds by then.
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]


class Snapshot:
    """The items of one table in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._saved: dict[tuple[str, str], Item] = {}

    def load(self, client: "DynamoDBClient", table: str) -> None:
        """Put the file's items into the table, save those whose time is up."""
        self._saved = self._read()
        for item in self._saved.values():
            client.put_item(TableName=table, Item=item)

    def save(self, client: "DynamoDBClient", table: str) -> bool:
        """Write the table's items, beside what other commands have put there. Whether any changed."""
        pages = client.get_paginator("scan").paginate(TableName=table)
        items = {_key(item): item for page in pages for item in page["Items"]}
        if items == self._saved:
            return False
        with self._locked():
            kept = {**self._read(), **items}.values()
            write_whole(self.path, "".join(json.dumps(item) + "\n" for item in kept).encode())
        self._saved = items
        return True

    def _read(self) -> dict[tuple[str, str], Item]:
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


def _key(item: Item) -> tuple[str, str]:
    return item["pk"]["S"], item["sk"]["S"]


def write_whole(path: Path, content: bytes) -> None:
    """Write beside the file and put the new one in its place, so that no reader sees half of it."""
    beside = path.with_suffix(f".{os.getpid()}.new")
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
