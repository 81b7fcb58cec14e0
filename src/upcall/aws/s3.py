"""S3: objects in the stack's bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from upcall import config
from upcall.domain.errors import NotFound

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECT_TIMEOUT_SECONDS = 3
READ_TIMEOUT_SECONDS = 15
CHUNK_BYTES = 65_536

NOT_FOUND_CODES = {"NoSuchKey", "AccessDenied", "404", "403"}
"""A role that may not list a bucket gets 403 for an object that does not exist."""


@dataclass(frozen=True)
class StoredObject:
    """An object: its bytes in chunks, which can be read once, and what whoever stored it says of them."""

    content_type: str
    content_encoding: str
    chunks: Iterator[bytes]


def get_object(key: str) -> StoredObject:
    """The object of that key. Raises NotFound."""
    client = get_client()
    try:
        found = client.get_object(Bucket=config.bucket_name(), Key=key)
    except client.exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") not in NOT_FOUND_CODES:
            raise
        raise NotFound(f"there is no object {key!r}") from None
    return StoredObject(
        content_type=found.get("ContentType", ""),
        content_encoding=found.get("ContentEncoding", ""),
        chunks=found["Body"].iter_chunks(CHUNK_BYTES),
    )


@cache
def get_client() -> "S3Client":
    """The client of S3. Loads boto3, which is why the import waits until here."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": 3},
            signature_version="s3v4",  # what new regions demand of URLs
        ),
    )
