"""A local stack in a process of its own, which executes runs with the benchmark's emulator.

A process has one local stack. In its own, it does not share an interpreter with the emulator, whose clients
are measured as well.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

import boto3

from cli.backends.base import build_run_request
from local.config import LocalStackConfig
from local.stack import LocalStack
from upcall.aws.step_functions import execution_arn
from upcall.client import UpcallClient
from upcall.domain.views import RunView

P = ParamSpec("P")
T = TypeVar("T")

POLL_SECONDS = 0.1
"""Between two requests for the state of an execution, from when the model should be done."""

_stack: LocalStack | None = None


class StackProcess:
    """Executes functions, one at a time, in the process of a local stack. They call `this_stack`."""

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self.pages, self.api = self.call(_urls)

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in the process of the stack."""
        return self._pool.submit(function, *args, **kwargs).result()


@contextmanager
def stack_process(openai_base_url: str, parameters: Mapping[str, str]) -> Iterator[StackProcess]:
    """Start a local stack whose runs are those of the server at a URL. `parameters` are the template's."""
    with tempfile.TemporaryDirectory() as folder:
        config = LocalStackConfig(
            state_folder=Path(folder), openai_base_url=openai_base_url, parameters=parameters
        )
        with ProcessPoolExecutor(1, get_context("spawn"), _start_stack, (config,)) as pool:
            yield StackProcess(pool)


def this_stack() -> LocalStack:
    """The local stack of this process."""
    assert _stack  # noqa: S101  # the process began with it
    return _stack


def execute_run(model: str, model_seconds: float) -> tuple[RunView, float]:
    """Execute a run of a model. Returns it, and the seconds from its POST until its message was saved."""
    stack = this_stack()
    request = build_run_request(f"Summarise {stack.endpoints.pages}/tides", {"model": model})
    with UpcallClient(stack.endpoints.api) as api:
        posted_at = time.time()
        run_id = api.start_run(request)
        wait_for_execution(execution_arn(stack.endpoints.state_machine, run_id), model_seconds)
        run = api.get_run(run_id)
    if run.status != "completed" or run.ended_at is None:
        raise SystemExit(f"a run is {run.status}: {run.failure}")
    return run, run.ended_at.timestamp() - posted_at


def measure_run(model: str, model_seconds: float) -> float:
    """The seconds of a run."""
    return execute_run(model, model_seconds)[1]


def wait_for_execution(arn: str, model_seconds: float) -> None:
    """Wait until an execution has ended."""
    client = boto3.client("stepfunctions")
    time.sleep(model_seconds)
    while client.describe_execution(executionArn=arn)["status"] == "RUNNING":
        time.sleep(POLL_SECONDS)


def _start_stack(config: LocalStackConfig) -> None:
    global _stack
    _stack = LocalStack(config)


def store_secret(name: str, secret: str) -> None:
    """Store a secret in the stack's account."""
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=secret)


def _urls() -> tuple[str, str]:
    endpoints = this_stack().endpoints
    return endpoints.pages, endpoints.api
