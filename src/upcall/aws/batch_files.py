"""S3: the bucket for batches. Implements BatchFiles."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, cast

from upcall import config
from upcall.aws.s3 import NOT_FOUND_CODES, get_client
from upcall.domain.errors import NotFound

PART_BYTES = 8 * 1024 * 1024
"""Of a multipart upload. S3 takes at least 5 MB in each part but the last, and 10,000 parts."""

READ_BYTES = 1024 * 1024


def open_file(key: str, offset: int = 0) -> BinaryIO:
    """See BatchFiles."""
    content = io.BufferedReader(_ObjectReader(key, offset), READ_BYTES)
    content.peek(1)  # raises NotFound
    return content


def read_range(key: str, offset: int, length: int) -> bytes:
    """See BatchFiles. One request."""
    if not length:  # S3 takes an empty range for the whole object
        return b""
    client = get_client()
    try:
        found = client.get_object(
            Bucket=config.batch_bucket_name(), Key=key, Range=f"bytes={offset}-{offset + length - 1}"
        )
    except client.exceptions.ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if code == "InvalidRange":
            return b""
        if code in NOT_FOUND_CODES:
            raise NotFound(f"there is no object {key!r}") from None
        raise
    return found["Body"].read()


def write_file(key: str, content: bytes, content_type: str) -> None:
    """See BatchFiles."""
    get_client().put_object(
        Bucket=config.batch_bucket_name(), Key=key, Body=content, ContentType=content_type
    )


@contextmanager
def create_file(key: str) -> Iterator[BinaryIO]:
    """See BatchFiles. A multipart upload; one that fails is removed by the bucket's lifecycle."""
    upload = _Upload(key)
    yield cast("BinaryIO", upload)
    upload.complete()


def presign_url(key: str, seconds: int) -> str:
    """See BatchFiles. It is valid for as long as the function's credentials, at most."""
    params = {"Bucket": config.batch_bucket_name(), "Key": key}
    return get_client().generate_presigned_url("get_object", Params=params, ExpiresIn=seconds)


class _ObjectReader(io.RawIOBase):
    """Reads an object in ranges: a connection that stays open for minutes may be closed."""

    def __init__(self, key: str, offset: int) -> None:
        self._key = key
        self._position = offset

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        data = read_range(self._key, self._position, len(buffer))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


class _Upload(io.RawIOBase):
    def __init__(self, key: str) -> None:
        self._target = {"Bucket": config.batch_bucket_name(), "Key": key}
        self._id = get_client().create_multipart_upload(**self._target)["UploadId"]  # type: ignore[arg-type]
        self._buffer = bytearray()
        self._parts: list[dict[str, object]] = []

    def writable(self) -> bool:
        return True

    def write(self, data: "bytes | bytearray | memoryview") -> int:  # type: ignore[override]
        self._buffer += data
        if len(self._buffer) >= PART_BYTES:
            self._send()
        return len(data)

    def complete(self) -> None:
        if self._buffer or not self._parts:
            self._send()
        get_client().complete_multipart_upload(
            **self._target,  # type: ignore[arg-type]
            UploadId=self._id,
            MultipartUpload={"Parts": self._parts},  # type: ignore[typeddict-item]
        )

    def _send(self) -> None:
        number = len(self._parts) + 1
        response = get_client().upload_part(
            **self._target,  # type: ignore[arg-type]
            UploadId=self._id,
            PartNumber=number,
            Body=bytes(self._buffer),
        )
        self._parts.append({"PartNumber": number, "ETag": response["ETag"]})
        self._buffer.clear()
