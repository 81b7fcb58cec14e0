"""Uploads the console's pages to the site of a stack: see `console.yaml`."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cli.console.files import CONTENT_TYPES, FOLDER, INDEX
from cli.doctor.deployed_stack import CLIENT_CONFIG, DeployedStack, OutdatedStack, describe_error, find_stack
from cli.errors import CommandError

URL_OUTPUT: Final = "ConsoleUrl"
SIGN_IN_OUTPUT: Final = "ConsoleSignIn"
BUCKET: Final = "ConsoleBucket"
DISTRIBUTION: Final = "ConsoleDistribution"

SETTINGS: Final = "site.json"
"""The file that tells the pages that they are a site. In the folder it is empty."""

CACHE_CONTROL: Final = "public, max-age=0, must-revalidate, s-maxage=86400"
"""Browsers ask each time, so they have no modules of two versions. CloudFront asks once a day, or after an
invalidation."""

MAX_DELETED: Final = 1000
"""Objects in one request of S3."""


@dataclass(frozen=True)
class PublishedSite:
    """A site after its pages were uploaded: how many files it has, and how many others were deleted."""

    url: str
    files: int
    deleted: int


def publish_site(stack_name: str, session: boto3.Session, folder: Path = FOLDER) -> PublishedSite:
    """Upload the pages with AWS credentials, and delete the files that they no longer have.

    Raises CommandError if the stack has no site, or if AWS refuses.
    """
    stack = find_stack(stack_name, session)
    if URL_OUTPUT not in stack.outputs:
        raise CommandError(f"the stack {stack_name} has no site: set ConsoleClientId, and deploy")
    contents = {**_read_files(folder), SETTINGS: _settings(stack, session).encode()}
    with _aws_errors("s3"):
        deleted = _upload(session, stack.resources[BUCKET].id, contents)
    with _aws_errors("cloudfront"):
        _invalidate(session, stack.resources[DISTRIBUTION].id)
    return PublishedSite(stack.outputs[URL_OUTPUT], len(contents), deleted)


def _read_files(folder: Path) -> dict[str, bytes]:
    """The contents of the files, by their paths. The index is the last one: it loads the others."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix in CONTENT_TYPES)
    files.sort(key=lambda path: path.name == INDEX)
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _settings(stack: DeployedStack, session: boto3.Session) -> str:
    """What the pages know of their stack and its issuer. All of it is public."""
    try:
        sign_in = json.loads(stack.output(SIGN_IN_OUTPUT))
    except OutdatedStack as error:
        raise CommandError(str(error)) from None
    return json.dumps({"stack": stack.name, "region": session.region_name, **sign_in})


def _upload(session: boto3.Session, bucket: str, contents: dict[str, bytes]) -> int:
    """Make these the objects of the bucket. Returns how many others were deleted."""
    s3 = session.client("s3", config=CLIENT_CONFIG)
    for key, content in contents.items():
        content_type = CONTENT_TYPES[Path(key).suffix]
        s3.put_object(
            Bucket=bucket, Key=key, Body=content, ContentType=content_type, CacheControl=CACHE_CONTROL
        )
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    others = [key for key in keys if key not in contents]
    for start in range(0, len(others), MAX_DELETED):
        objects: Any = [{"Key": key} for key in others[start : start + MAX_DELETED]]
        s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
    return len(others)


def _invalidate(session: boto3.Session, distribution: str) -> None:
    """Let CloudFront read all files anew."""
    batch = {"Paths": {"Quantity": 1, "Items": ["/*"]}, "CallerReference": str(uuid.uuid4())}
    session.client("cloudfront", config=CLIENT_CONFIG).create_invalidation(
        DistributionId=distribution, InvalidationBatch=batch
    )


@contextmanager
def _aws_errors(service: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        raise CommandError(describe_error(service, error)) from None
    except BotoCoreError as error:
        raise CommandError(f"AWS cannot be called: {error}") from None
