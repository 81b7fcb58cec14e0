"""The command as a user runs it: in a process of its own, with a state folder of its own."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from rich.console import Console
from support.iam_gateway import CALLER, REGION, IamGateway, iam_gateway

from cli.doctor.deployed_stack import DeployedStack, find_stack
from local.config import ROOT
from local.openai_emulator import Emulator
from local.stack import LocalStack

Finished = subprocess.CompletedProcess[str]
Upcall = Callable[..., Finished]

COMMAND = (sys.executable, "-m", "cli.main")
TIMEOUT_SECONDS = 120

STACK = "upcall-elsewhere"
OTHER = "another-project"
"""The names of two stacks: see `stacks`."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A user's variables: no API key, an empty state folder, an AWS profile and a proxy that do not exist."""
    prefixes = ("AWS_", "OPENAI_", "UPCALL_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {
        **inherited,
        "UPCALL_STATE_FOLDER": str(tmp_path_factory.mktemp("state")),
        "AWS_PROFILE": "nobody",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "COLUMNS": "120",
    }


@pytest.fixture(scope="module")
def upcall(environment: dict[str, str]) -> Upcall:
    """Run the command to its end. No local stack is running."""

    def run(
        *arguments: str,
        command: Sequence[str] = COMMAND,
        folder: Path = ROOT,
        timeout_seconds: float = TIMEOUT_SECONDS,
        **variables: str,
    ) -> Finished:
        return subprocess.run(
            [*command, *arguments],
            cwd=folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def upcall_on_running_stack(
    upcall: Upcall, local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory
) -> Upcall:
    """Run the command to its end. The local stack of all tests is the running one."""
    state_folder = tmp_path_factory.mktemp("state")
    (state_folder / "running.json").write_text(json.dumps(asdict(local_stack.endpoints)), "utf-8")

    def run(*arguments: str, **variables: str) -> Finished:
        return upcall(*arguments, UPCALL_STATE_FOLDER=str(state_folder), **variables)

    return run


@pytest.fixture(scope="module")
def gateway(local_stack: LocalStack) -> Iterator[IamGateway]:
    """The API of the deployed stack."""
    with iam_gateway(local_stack.endpoints.api) as started:
        yield started


@pytest.fixture(scope="module")
def stacks(local_stack: LocalStack, gateway: IamGateway) -> Iterator[None]:
    """Two stacks in another region than the local stack: one of Upcall, and one of something else."""
    cloudformation = boto3.client("cloudformation", region_name=REGION)
    ours = {
        "ApiUrl": {"Value": gateway.url},
        "BatchBucketName": {"Value": local_stack.endpoints.batch_bucket},
    }
    for name, outputs in ((STACK, ours), (OTHER, {"Else": {"Value": "x"}})):
        template: dict[str, Any] = {
            "Parameters": {"Tenancy": {"Type": "String"}},
            "Resources": {"Q": {"Type": "AWS::SQS::Queue"}},
            "Outputs": outputs,
        }
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": "Tenancy", "ParameterValue": "many"}],
        )
    yield
    for name in (STACK, OTHER):
        cloudformation.delete_stack(StackName=name)


@pytest.fixture(scope="module")
def user(local_stack: LocalStack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variables of a user who has an AWS profile with a region and credentials."""
    folder = tmp_path_factory.mktemp("aws")
    (folder / "config").write_text(f"[profile caller]\nregion = {REGION}\n[profile nowhere]\n", "utf-8")
    (folder / "credentials").write_text(
        f"[caller]\naws_access_key_id = {CALLER.access_key}\naws_secret_access_key = {CALLER.secret_key}\n",
        "utf-8",
    )
    return {
        "AWS_CONFIG_FILE": str(folder / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_PROFILE": "caller",
        "AWS_ENDPOINT_URL_CLOUDFORMATION": local_stack.endpoints.aws,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator of OpenAI beside that of the local stack."""
    started = Emulator()
    yield started
    started.stop()


@pytest.fixture
def stack(local_stack: LocalStack) -> DeployedStack:
    """The local stack as CloudFormation describes it, with the output that AWS alone has."""
    found = find_stack("upcall")
    return replace(found, outputs={**found.outputs, "ApiUrl": local_stack.endpoints.api})


def one_line_error(finished: Finished) -> str:
    """The line that a command prints if its user can fix the error."""
    assert (finished.returncode, finished.stdout) == (2, "")
    (line,) = finished.stderr.strip().splitlines()
    return line


def plain_console() -> Console:
    """A console that is not a terminal."""
    return Console(file=io.StringIO(), width=100, highlight=False, emoji=False)


def terminal_console(width: int = 100) -> Console:
    """A console that is a terminal."""
    return Console(file=io.StringIO(), width=width, force_terminal=True, highlight=False, emoji=False)


def printed_text(console: Console) -> str:
    """All that was printed to one of these consoles."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()
