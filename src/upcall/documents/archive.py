"""Zip archives and gzip files, of which no step yields more than a limit."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

from upcall.documents.content_encoding import CHUNK_BYTES, decode
from upcall.domain.errors import ToolError

_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, NotImplementedError, OSError)
"""What the library raises for archives that are invalid, or use a method that it does not know."""


def open_zip(body: bytes) -> zipfile.ZipFile:
    """The archive in these bytes. Raises ToolError if it is damaged."""
    try:
        return zipfile.ZipFile(io.BytesIO(body))
    except _DAMAGED as error:
        raise ToolError("the file is a damaged zip archive") from error


def read_member(archive: zipfile.ZipFile, name: str, max_bytes: int) -> Iterator[bytes]:
    """The bytes of a member in chunks. Raises ToolError if there are more than `max_bytes`."""
    if archive.getinfo(name).file_size > max_bytes:  # no more than that is read of it
        raise ToolError(f"{name} in the file is larger than {max_bytes:,} bytes")
    try:
        with archive.open(name) as member:
            while chunk := member.read(CHUNK_BYTES):
                yield chunk
    except (*_DAMAGED, RuntimeError) as error:  # RuntimeError: it is encrypted
        raise ToolError("the file is a damaged or encrypted zip archive") from error


def gunzip(body: bytes, max_bytes: int) -> bytes:
    """The content of a gzip file. Raises ToolError if it is damaged or too large."""
    return b"".join(decode([body], ["gzip"], max_bytes))
