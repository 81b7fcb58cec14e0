"""Which cloud a command talks to: the laptop cloud that `upcall local` keeps up, or one of its own."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import boto3
import httpx

from cli.errors import Problem
from local.config import (
    AWS_ENVIRONMENT,
    STATE_FOLDER,
    Endpoints,
    Profile,
    aws_environment,
)
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.aws.step_functions import execution_arn

if TYPE_CHECKING:
    from local.stack import LocalStack

PAGES_PORT, API_PORT, AWS_PORT = 8780, 8781, 8782
RUNNING = STATE_FOLDER / "running.json"
OPENAI = "https://api.openai.com/v1"
RETENTION_DAYS = 30


@dataclass(frozen=True)
class Cloud:
    """A laptop cloud to talk to. Expects boto3's environment to point at it."""

    addresses: Endpoints

    @property
    def store(self) -> DynamoDBRunRepository:
        """The table of runs."""
        return DynamoDBRunRepository(Table(boto3.client("dynamodb"), self.addresses.table), RETENTION_DAYS)

    def execution_arn(self, name: str) -> str:
        """The execution of that name, which for the first attempt at a run is the run's id."""
        return execution_arn(self.addresses.state_machine, name)


@contextmanager
def cloud() -> Iterator[Cloud]:
    """The running laptop cloud, if it drives runs on the OpenAI server that is wanted; else a new one."""
    running = running_cloud()
    wanted = openai_base_url()
    if running and (running.emulated if wanted is None else running.openai == wanted):
        with aws_environment({**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": running.aws}):
            yield Cloud(running)
    else:
        with own_cloud(Profile(pages_port=PAGES_PORT)) as own:
            yield Cloud(own.addresses)


@contextmanager
def running() -> Iterator[Cloud]:
    """The laptop cloud that `upcall local` keeps up. Raises Problem if there is none.

    What an event starts goes on after the command has ended, which takes a cloud that does, too.
    """
    addresses = running_cloud()
    if addresses is None:
        raise Problem("no laptop cloud is up; start one with `upcall local` in another terminal")
    with aws_environment({**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": addresses.aws}):
        yield Cloud(addresses)


@contextmanager
def store() -> Iterator[DynamoDBRunRepository]:
    """The runs: of the running laptop cloud, or as the last command left them."""
    running = running_cloud()
    if running:
        with aws_environment({**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": running.aws}):
            yield Cloud(running).store
    else:
        from local.table_only import table_alone

        with aws_environment(AWS_ENVIRONMENT), table_alone(STATE_FOLDER) as alone:
            yield alone


def laptop_cloud() -> "type[LocalStack]":
    """What makes a laptop cloud. moto looks for the user's AWS profile when it is loaded: it sees none."""
    with aws_environment(AWS_ENVIRONMENT):
        from local.stack import LocalStack
    return LocalStack


@contextmanager
def own_cloud(profile: Profile) -> Iterator["LocalStack"]:
    """A laptop cloud in this process, driving runs where the user's OpenAI variables say."""
    with laptop_cloud()(
        replace(
            profile,
            openai_base_url=openai_base_url(),
            openai_api_key=os.environ.get("OPENAI_API_KEY") or "none",
        )
    ) as own:
        yield own


@contextmanager
def published(addresses: Endpoints) -> Iterator[None]:
    """Tell other commands where this laptop cloud is, as long as it is up."""
    RUNNING.write_text(json.dumps(asdict(addresses)), "utf-8")
    try:
        yield
    finally:
        RUNNING.unlink(missing_ok=True)


def running_cloud() -> Endpoints | None:
    """The addresses of the laptop cloud that `upcall local` keeps up, if one answers."""
    try:
        addresses = Endpoints(**json.loads(RUNNING.read_text("utf-8")))
        httpx.get(addresses.api, timeout=2, trust_env=False)
    except (OSError, ValueError, TypeError, httpx.HTTPError):
        return None
    return addresses


def openai_base_url() -> str | None:
    """The OpenAI server that the user's environment asks for, or None for the emulator."""
    if url := os.environ.get("OPENAI_BASE_URL"):
        return url
    return OPENAI if os.environ.get("OPENAI_API_KEY") else None
