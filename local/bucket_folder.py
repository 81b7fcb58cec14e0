"""Keeps the objects of a bucket in a folder between commands, because moto holds them in memory only."""

import local.moto_patches  # noqa: F401  # first: moto.s3 loads services that the stack does not use

# isort: split
from collections.abc import Mapping
from pathlib import Path

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import FakeKey, s3_backends

from local.atomic_write import write_atomically


class BucketFolder:
    """A folder with a file for each object of a bucket, under the object's key."""

    def __init__(self, folder: Path, bucket: str) -> None:
        self._folder = folder.resolve()
        self._bucket = bucket
        self._saved: dict[str, str] = {}
        """The entity tag of each object that the folder has."""

    def load(self) -> None:
        """Put the files into the bucket."""
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        for file in sorted(self._folder.rglob("*")):
            if file.is_file() and not file.name.endswith(".new"):
                key = file.relative_to(self._folder).as_posix()
                self._saved[key] = backend.put_object(self._bucket, key, file.read_bytes()).etag

    def save(self) -> None:
        """Write the objects that are new or have changed. A key that leads out of the folder is left out."""
        objects = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[self._bucket].keys
        for name in list(objects):
            path = (self._folder / name).resolve()
            if self._saved.get(name) != objects[name].etag and path.is_relative_to(self._folder):
                etag, content = _read(objects, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, content)
                self._saved[name] = etag


def _read(objects: Mapping[str, FakeKey], name: str) -> tuple[str, bytes]:
    """The entity tag and the content of an object, which moto closes as soon as another takes its place."""
    while True:
        key = objects[name]
        try:
            return key.etag, key.value
        except ValueError:
            if objects[name] is key:
                raise
