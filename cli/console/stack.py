"""The stack that the console shows: where its API is, and how its AWS resources are reached."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
import httpx

from cli.backends.local_stack import connect_or_start
from cli.backends.resume_runs import resume_runs_and_batches
from cli.backends.stack_lookup import find_api_url, find_auth, find_tenancy, region_of, user_session
from cli.doctor.deployed_stack import CLIENT_CONFIG
from local.config import STACK_NAME, Endpoints
from upcall.domain.caller import ANYBODY
from upcall.lambda_runtime.caller_identity import caller_name

LOCAL = "local"


@dataclass(frozen=True)
class ConsoleStack:
    """A stack. `name` is what the console calls it, `region` is None if it has none or it is not known.

    `api` is the URL of its API, and `auth` authenticates requests to it. `aws_name` is its name in
    CloudFormation; None if only the URL is known. `find_owner` returns the name under which the API knows the
    user; None if that is not known. `pages` is the URL of the sample pages, if the emulator's model reads
    them. `tenancy` is that parameter of the stack: whether callers see the runs of all (`one`) or their own
    (`many`); None if it is not known.
    """

    name: str
    region: str | None
    api: str
    auth: httpx.Auth | None
    aws_name: str | None
    new_session: Callable[[], boto3.Session]
    find_owner: Callable[[], str | None]
    pages: str | None = None
    tenancy: str | None = None


@contextmanager
def open_console_stack(stack: str | None, token: str | None) -> Iterator[ConsoleStack]:
    """The deployed stack of that name or URL; without one, the local stack, which is started if need be.

    Raises CommandError.
    """
    if stack:
        yield _deployed_stack(stack, token)
    else:
        with connect_or_start(whatever_server=True) as local:
            if local.temporary:
                resume_runs_and_batches(local.endpoints)
            yield local_console_stack(local.endpoints)


def local_console_stack(endpoints: Endpoints) -> ConsoleStack:
    """A local stack. Expects boto3's environment to point at it."""
    return ConsoleStack(
        name=LOCAL,
        region=None,
        api=endpoints.api,
        auth=None,
        aws_name=STACK_NAME,
        new_session=boto3.Session,
        find_owner=lambda: ANYBODY,
        pages=endpoints.pages if endpoints.emulated else None,
        tenancy="one",
    )


def _deployed_stack(stack: str, token: str | None) -> ConsoleStack:
    url = find_api_url(stack)
    named = "://" not in stack

    def find_owner() -> str | None:
        if token:
            return None
        arn = user_session().client("sts", config=CLIENT_CONFIG).get_caller_identity()["Arn"]
        return caller_name({"requestContext": {"authorizer": {"iam": {"userArn": arn}}}})

    return ConsoleStack(
        name=stack,
        region=user_session().region_name if named else region_of(url),
        api=url,
        auth=find_auth(url, token),
        aws_name=stack if named else None,
        new_session=user_session,
        find_owner=find_owner,
        tenancy=find_tenancy(stack) if named else None,
    )
