"""A local stack for tests: its model answers at once, its workflows hardly wait, and its runs are polled.

Delays are scaled where they happen, so that the template, the workflow's definition and the constants of the code
stay as they are in production.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.config import LocalStackConfig
from local.stack import LocalStack
from support.function_changes import function_changes
from upcall.lambda_runtime.clock import SystemClock

WORKFLOW_SPEED = 1000
"""One second of a Wait state or of a Retry takes one millisecond."""

POLL_SPEED = 20
"""The polls of a window are 25 to 100 ms apart, not 0.5 to 2 s."""


WEBHOOK_SECRET_NAME = "openai-webhook"  # noqa: S105  # a name
"""The stack takes webhooks. Its runs are polled, except in `pushed_runs`."""

workflow_waits: defaultdict[str, list[float]] = defaultdict(list)
"""How long the Wait states of each execution were to wait, in seconds, by the name of the execution."""


@contextmanager
def fast_stack(state_folder: Path, **options: Any) -> Iterator[LocalStack]:
    """Start a local stack with these options."""
    parameters = {"OpenAIWebhookSecretName": WEBHOOK_SECRET_NAME, **options.pop("parameters", {})}
    config = LocalStackConfig(state_folder=state_folder, model_seconds=0.02, parameters=parameters, **options)
    with (
        pytest.MonkeyPatch.context() as patch,
        LocalStack(config) as stack,
        _webhook_secret(stack, ""),
    ):
        _speed_up_workflows(patch)
        _speed_up_requests(patch)
        yield stack


def pushed_runs(local_stack: LocalStack) -> AbstractContextManager[None]:
    """Let runs that start inside wait for webhooks."""
    return _webhook_secret(local_stack, WEBHOOK_SECRET_NAME)


def _webhook_secret(local_stack: LocalStack, name: str) -> AbstractContextManager[None]:
    environment = {"OPENAI_WEBHOOK_SECRET_NAME": name}
    return function_changes(local_stack, "CreateRunFunction", environment=environment)


class FastClock(SystemClock):
    """A clock that runs faster. It tells the right time of day."""

    def monotonic(self) -> float:
        """Seconds of this clock since some moment."""
        return time.monotonic() * POLL_SPEED

    def sleep(self, seconds: float, /) -> None:
        """Wait for so many seconds of this clock."""
        time.sleep(seconds / POLL_SPEED)


def _speed_up_requests(patch: pytest.MonkeyPatch) -> None:
    from handlers import create_run, poll_run, save_message, submit_tool_outputs

    for handler in (create_run, poll_run, save_message, submit_tool_outputs):
        patch.setattr(handler, "SystemClock", FastClock)


def _speed_up_workflows(patch: pytest.MonkeyPatch) -> None:
    """Scale the intervals of Wait states and of Retry. moto makes clients as these modules are loaded."""
    from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
    from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction

    def wait(_: WaitFunction, env: Any, wait_seconds: int) -> None:
        name = env.states.context_object.context_object_data["Execution"]["Name"]
        workflow_waits[name].append(wait_seconds)
        end = time.monotonic() + wait_seconds / WORKFLOW_SPEED
        while env.is_running() and (left := end - time.monotonic()) > 0:
            env.program_state_event.wait(left)

    def sleep(seconds: float) -> None:
        time.sleep(seconds / WORKFLOW_SPEED)

    patch.setattr(WaitFunction, "_wait_interval", wait)
    patch.setattr(retrier_decl, "time", SimpleNamespace(sleep=sleep))
