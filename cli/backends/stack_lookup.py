"""Finds the API of a deployed stack, and how to authenticate to it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError

from cli.batches.upload import BatchBucket
from cli.errors import CommandError
from upcall.client import BearerAuth, IamAuth
from upcall.client.http_api import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import StackTypeDef

API_URL_OUTPUT = "ApiUrl"
BATCH_BUCKET_OUTPUT = "BatchBucketName"
TIMEOUTS = Config(connect_timeout=5, read_timeout=20)
NO_REGION = "there is no AWS region: set AWS_REGION, or a region in the profile"


def find_api_url(stack: str) -> str:
    """The URL of the API of a stack, which is named or given as that URL. Raises CommandError.

    A name is looked up in CloudFormation, in the region and with the profile that boto3 finds.
    """
    url = stack if "://" in stack else _read_stack_output(stack, API_URL_OUTPUT)
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise CommandError(f"{url!r} is not a URL: {error}") from None
    encrypted = parsed.scheme == "https" or (parsed.scheme == "http" and parsed.host in LOOPBACK_HOSTS)
    if not parsed.host or not encrypted:  # credentials are sent to it
        raise CommandError(f"the URL of a stack must begin with https://; this is {url!r}")
    return url.rstrip("/")


def find_auth(url: str, token: str | None) -> IamAuth | BearerAuth:
    """The authentication for an API: the token, or the user's AWS credentials. Raises CommandError."""
    if token:
        return BearerAuth(token)
    with _aws_errors():
        session = user_session()
        credentials = session.get_credentials()
    if credentials is None:
        raise CommandError("there are no AWS credentials: run `aws configure`, or set AWS_PROFILE")
    region = region_of(url) or session.region_name
    if region is None:
        raise CommandError(NO_REGION)
    return IamAuth(credentials, region)


def find_batch_bucket(stack: str) -> BatchBucket:
    """The bucket for batches of a stack, with the user's AWS credentials. Raises CommandError.

    The URL of an API does not tell it.
    """
    if "://" in stack:
        raise CommandError("--stack has a URL, which does not tell the bucket: give the name of the stack")
    name = _read_stack_output(stack, BATCH_BUCKET_OUTPUT)
    with _aws_errors():
        return BatchBucket(user_session().client("s3"), name)


def find_tenancy(stack: str) -> str | None:
    """The parameter Tenancy of the stack of that name; None if it has none. Raises CommandError."""
    parameters = _describe_stack(stack).get("Parameters", [])
    values = {each["ParameterKey"]: each["ParameterValue"] for each in parameters}
    return values.get("Tenancy")


def region_of(url: str) -> str | None:
    """The region in a URL of API Gateway; None for a custom domain."""
    match = re.search(r"\.execute-api\.([a-z0-9-]+)\.", httpx.URL(url).host)
    return match[1] if match else None


def _describe_stack(name: str) -> "StackTypeDef":
    with _aws_errors():
        session = user_session()
        client = session.client("cloudformation", config=TIMEOUTS)
        try:
            (description,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ValidationError":  # CloudFormation's code for a stack that does not exist
                raise CommandError(f"there is no stack {name!r} in {session.region_name}") from error
            if code == "AccessDenied":
                message = "your AWS credentials may not look up stacks: give --stack the URL of the API"
                raise CommandError(message) from error
            raise
    return description


def _read_stack_output(name: str, output_key: str) -> str:
    for output in _describe_stack(name).get("Outputs", []):
        if output["OutputKey"] == output_key:
            return output["OutputValue"]
    raise CommandError(
        f"the stack {name!r} has no output {output_key}: it is not a stack of Upcall, or not complete"
    )


def user_session() -> boto3.Session:
    """A session with the user's profile. boto3 ignores AWS_REGION, which AWS's own tools read."""
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


@contextmanager
def _aws_errors() -> Iterator[None]:
    """Turn errors of boto3 into CommandError."""
    try:
        yield
    except NoRegionError as error:
        raise CommandError(NO_REGION) from error
    except (BotoCoreError, ClientError) as error:
        raise CommandError(f"AWS: {error}") from error
