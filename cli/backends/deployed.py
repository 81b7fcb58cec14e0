"""Runs on a deployed stack: over its HTTP API and nothing else, with the user's AWS credentials."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import httpx
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from rich.console import Console

from cli.backends.authentication import Bearer, Signed
from cli.backends.base import Fields, Outcome, Shown
from cli.backends.follow_by_api import follow
from cli.backends.http_client import LOOPBACK, Api
from cli.commands.run import announce, request
from cli.errors import Problem
from cli.terminal.live_view import View
from upcall.domain.status import Status
from upcall.domain.views import RunSummary, RunView

OUTPUT = "ApiUrl"
"""The stack's output that says where its API is."""

WAIT_SECONDS = 20
"""How long a request waits for the end of a run."""

WATCHED_WAIT_SECONDS = 2
"""The same where somebody sits at a terminal, and wants to see each round soon after it is done."""

PATIENCE = Config(connect_timeout=5, read_timeout=20)

NO_REGION = "there is no AWS region: set AWS_REGION, or one in the profile"


class Stack:
    """The runs of a stack, as far as its API shows them to the caller."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def run(self, prompt: str | None, fields: Fields, err: Console) -> Outcome:
        """Run a prompt; shows the run's status and its rounds. Interrupted, it leaves the run to go on."""
        if prompt is None:
            raise Problem("a run on a stack takes a prompt; the sample page is the laptop's")
        asked = request(prompt, fields)
        run_id = self._api.start(asked)
        announce(err, run_id, self._api.url, asked)
        return self._watched(run_id, err)

    def retried(self, run_id: str, err: Console) -> Outcome:
        """Have a run tried again, and show its status and its rounds."""
        self._api.retry(run_id)
        return self._watched(run_id, err)

    def _watched(self, run_id: str, err: Console) -> Outcome:
        with View(err) as view:
            try:
                return follow(
                    self._api, run_id, view, WATCHED_WAIT_SECONDS if err.is_terminal else WAIT_SECONDS
                )
            except KeyboardInterrupt:
                raise Problem(f"{run_id} goes on; `upcall cancel {run_id}` ends it") from None

    def listed(self, status: Status | None, limit: int) -> list[RunSummary]:
        """The caller's runs, newest first."""
        return list(self._api.runs(status, limit))

    def shown(self, run_id: str) -> Shown:
        """A run as its caller sees it."""
        run = self._api.run(run_id)
        return Shown(run, self._api.calls(run_id), run.message)

    def cancelled(self, run_id: str) -> RunView:
        """Cancel a run."""
        return self._api.cancel(run_id)


@contextmanager
def deployed(stack: str, token: str | None) -> Iterator[Stack]:
    """The stack of that name, or at that URL; with a token, else with the user's AWS credentials.

    A name is looked up in CloudFormation, in the region and with the profile that boto3 finds; a URL
    takes no right but execute-api:Invoke. Raises Problem.
    """
    url = _checked(stack if "://" in stack else _api_url(stack))
    auth = Bearer(token) if token else _signed(url)
    with Api(url, auth, auth.refused) as api:
        yield Stack(api)


def region_of(url: str) -> str | None:
    """The region that an address of API Gateway's own names; a domain of the user's names none."""
    named = re.search(r"\.execute-api\.([a-z0-9-]+)\.", httpx.URL(url).host)
    return named[1] if named else None


def _checked(url: str) -> str:
    """A URL that credentials may be sent to. Raises Problem."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise Problem(f"{url!r} is no URL: {error}") from None
    safe = parsed.scheme == "https" or (parsed.scheme == "http" and parsed.host in LOOPBACK)
    if not parsed.host or not safe:
        raise Problem(f"a stack's URL begins with https://, not as {url!r} does")
    return url.rstrip("/")


def _api_url(name: str) -> str:
    with _aws_problems():
        session = _session()
        client = session.client("cloudformation", config=PATIENCE)
        try:
            (found,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ValidationError":  # so CloudFormation says that it is not there
                raise Problem(f"there is no stack {name!r} in {session.region_name}") from error
            if code == "AccessDenied":
                raise Problem("AWS does not let you look up stacks: give --stack the API's URL") from error
            raise
    for output in found.get("Outputs", []):
        if output["OutputKey"] == OUTPUT:
            return output["OutputValue"]
    raise Problem(f"the stack {name!r} has no output {OUTPUT}: it is not one of Upcall's, or not yet ready")


def _signed(url: str) -> Signed:
    with _aws_problems():
        session = _session()
        credentials = session.get_credentials()
    if credentials is None:
        raise Problem("there are no AWS credentials: run `aws configure`, or set AWS_PROFILE")
    region = region_of(url) or session.region_name
    if region is None:
        raise Problem(NO_REGION)
    return Signed(credentials, region)


def _session() -> boto3.Session:
    """What boto3 finds of the user's. AWS_REGION, which it does not read, counts as with AWS's own tools."""
    return boto3.Session(region_name=os.environ.get("AWS_REGION") or None)


@contextmanager
def _aws_problems() -> Iterator[None]:
    try:
        yield
    except NoRegionError as error:
        raise Problem(NO_REGION) from error
    except (BotoCoreError, ClientError) as error:
        raise Problem(f"AWS: {error}") from error
