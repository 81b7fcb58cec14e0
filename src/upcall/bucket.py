"""The one owner of S3: objects in the stack's own bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from functools import cache
from typing import TYPE_CHECKING

from upcall import settings
from upcall.errors import NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_SECONDS = 3
READ_SECONDS = 15

_ABSENT = {"NoSuchKey", "AccessDenied", "404", "403"}
"""Who may not list a bucket is told that he may not read what is not there."""


@dataclass(frozen=True)
class StoredObject:
    """An object: what it is said to be, and its bytes in pieces, to be read once."""

    media_type: str
    charset: str | None
    encodings: list[str]
    pieces: Iterator[bytes]


def stored_object(key: str) -> StoredObject:
    """The object of that key. Raises NotFound."""
    s3 = _s3()
    try:
        found = s3.get_object(Bucket=settings.bucket_name(), Key=key)
    except s3.exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _ABSENT:
            raise
        raise NotFound(f"there is no object {key!r}") from None
    said = Message()
    said["Content-Type"] = found.get("ContentType") or "application/octet-stream"
    return StoredObject(
        media_type=said.get_content_type(),
        charset=said.get_content_charset(),
        encodings=found.get("ContentEncoding", "").replace("aws-chunked", "").split(","),
        pieces=found["Body"].iter_chunks(65_536),
    )


@cache
def _s3() -> "S3Client":
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": 3},
    )
    return boto3.client("s3", config=config)
