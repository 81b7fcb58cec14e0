"""The local stack that a command uses: the running one of `upcall local`, or one in this process."""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.errors import CommandError
from local.config import (
    AWS_ENVIRONMENT,
    STACK_NAME,
    STATE_FOLDER,
    Endpoints,
    LocalStackConfig,
    aws_environment,
)

if TYPE_CHECKING:
    from local.stack import LocalStack
    from upcall.aws.batch_repository import DynamoDBBatchRepository
    from upcall.aws.dynamodb import Table
    from upcall.aws.run_repository import DynamoDBRunRepository

PAGES_PORT, API_PORT, AWS_PORT = 8780, 8781, 8782
OPENAI_BASE_URL = "https://api.openai.com/v1"
RETENTION_DAYS = 30
NOT_RUNNING = "no local stack is running; start one with `upcall local` in another terminal"

ENDPOINTS_FILE = STATE_FOLDER / "running.json"
"""Written by `upcall local` while it runs, so that other commands find its local stack."""

COMMAND_ENDPOINTS_FILE = STATE_FOLDER / "command.json"
"""Written by a command that runs on a local stack of its own, so that others can show and decide about its
run. Of several such commands at a time, the last one is found."""


@dataclass(frozen=True)
class LocalStackClient:
    """A local stack to send requests to. Expects boto3's environment to point at it.

    A temporary one was started for the command, and ends with it.
    """

    endpoints: Endpoints
    temporary: bool = False

    @property
    def repository(self) -> "DynamoDBRunRepository":
        """The runs in its table."""
        from upcall.aws.run_repository import DynamoDBRunRepository

        return DynamoDBRunRepository(self._table, RETENTION_DAYS)

    @property
    def batch_repository(self) -> "DynamoDBBatchRepository":
        """The batches in its table."""
        from upcall.aws.batch_repository import DynamoDBBatchRepository

        return DynamoDBBatchRepository(self._table, RETENTION_DAYS)

    @property
    def _table(self) -> "Table":
        import boto3

        from upcall.aws.dynamodb import Table

        return Table(boto3.client("dynamodb"), self.endpoints.table)

    def physical_id(self, logical_id: str) -> str:
        """The name or ARN of a resource of the template."""
        import boto3

        found = boto3.client("cloudformation").describe_stack_resource(
            StackName=STACK_NAME, LogicalResourceId=logical_id
        )
        return found["StackResourceDetail"]["PhysicalResourceId"]

    def execution_arn(self, name: str) -> str:
        """The ARN of the execution of that name. A run's first execution is named by the run's id."""
        from upcall.aws.step_functions import execution_arn

        return execution_arn(self.endpoints.state_machine, name)


@contextmanager
def connect_or_start(*, whatever_server: bool = False) -> Iterator[LocalStackClient]:
    """The running local stack if it uses the OpenAI server that the environment names, or a new one.

    With `whatever_server`, the running one is used in any case.
    """
    running = find_running_endpoints()
    wanted = openai_base_url()
    same_server = running and (running.emulated if wanted is None else running.openai == wanted)
    if running and (whatever_server or same_server):
        with aws_environment_of(running):
            yield LocalStackClient(running)
    else:
        with (
            start_local_stack(LocalStackConfig(pages_port=PAGES_PORT)) as stack,
            publish_endpoints(stack.endpoints, COMMAND_ENDPOINTS_FILE),
        ):
            yield LocalStackClient(stack.endpoints, temporary=True)


@contextmanager
def connect_to_running() -> Iterator[LocalStackClient]:
    """The local stack of `upcall local`. Raises CommandError if there is none.

    For events: the runs that they start go on after the command has ended.
    """
    running = find_running_endpoints()
    if running is None:
        raise CommandError(NOT_RUNNING)
    with aws_environment_of(running):
        yield LocalStackClient(running)


@contextmanager
def open_repository() -> Iterator["DynamoDBRunRepository"]:
    """The runs of a local stack that is running, otherwise those that the last command saved."""
    running = find_any_endpoints()
    if running:
        with aws_environment_of(running):
            yield LocalStackClient(running).repository
    else:
        with aws_environment(AWS_ENVIRONMENT):
            from local.saved_runs import open_saved_runs

            with open_saved_runs(STATE_FOLDER) as repository:
                yield repository


@contextmanager
def start_local_stack(config: LocalStackConfig) -> Iterator["LocalStack"]:
    """A local stack in this process. Its runs use the OpenAI server that the environment names."""
    local_stack_class = load_local_stack_class()
    api_key = os.environ.get("OPENAI_API_KEY") or "none"
    config = replace(config, openai_base_url=openai_base_url(), openai_api_key=api_key, takes_messages=True)
    with local_stack_class(config) as stack:
        yield stack


def load_local_stack_class() -> "type[LocalStack]":
    """Import LocalStack without the user's AWS variables, because moto reads the AWS profile on import."""
    with aws_environment(AWS_ENVIRONMENT):
        from local.stack import LocalStack
    return LocalStack


@contextmanager
def publish_endpoints(endpoints: Endpoints, file: Path = ENDPOINTS_FILE) -> Iterator[None]:
    """Let other commands find this local stack while it runs."""
    file.write_text(json.dumps(asdict(endpoints)), "utf-8")
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find_any_endpoints() -> Endpoints | None:
    """The endpoints of the local stack of `upcall local`, or of a command that is running."""
    return find_running_endpoints() or find_running_endpoints(COMMAND_ENDPOINTS_FILE)


def find_running_endpoints(file: Path = ENDPOINTS_FILE) -> Endpoints | None:
    """The endpoints of the local stack of `upcall local`, if it responds."""
    try:
        endpoints = Endpoints(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    import httpx

    try:
        httpx.get(endpoints.api, timeout=2, trust_env=False)
    except (ValueError, httpx.HTTPError):
        return None
    return endpoints


def aws_environment_of(endpoints: Endpoints) -> AbstractContextManager[None]:
    """Point boto3 at a local stack, and hide the user's AWS variables."""
    return aws_environment({**AWS_ENVIRONMENT, "AWS_ENDPOINT_URL": endpoints.aws})


def openai_base_url() -> str | None:
    """The OpenAI server that the environment names; None for the emulator."""
    if url := os.environ.get("OPENAI_BASE_URL"):
        return url
    return OPENAI_BASE_URL if os.environ.get("OPENAI_API_KEY") else None
