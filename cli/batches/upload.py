"""Uploads the inputs of a batch to the bucket of a stack."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from cli.batches.input_file import InputFile
from cli.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = "uploads/"

_MEDIA_TYPES = {"jsonl": "application/jsonl", "csv": "text/csv"}


@dataclass(frozen=True)
class BatchBucket:
    """The bucket for batches of a stack."""

    client: "S3Client"
    name: str


def upload(source: InputFile, bucket: BatchBucket, bytes_sent: Callable[[int], object]) -> str:
    """Upload a file and return its key, which depends on its content only: the same batch has the same key.

    `bytes_sent` gets the number of bytes of each step, in any thread. Raises CommandError.
    """
    key = f"{FOLDER}{hashlib.file_digest(source.file, 'sha256').hexdigest()}.{source.format}"  # type: ignore[arg-type]
    source.file.seek(0)
    try:
        bucket.client.upload_fileobj(
            source.file,
            bucket.name,
            key,
            ExtraArgs={"ContentType": _MEDIA_TYPES[source.format]},
            Callback=bytes_sent,
        )
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise CommandError(
            f"{source.name} cannot be uploaded to the bucket {bucket.name}: {error}"
        ) from error
    return key
