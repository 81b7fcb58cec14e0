"""Whatever the OpenAI server responds, a run ends in time, with a reason that a person understands.

`make test` tries each wrong response at one step of a run of one run API. `make fuzz` tries all of them at all steps of
all run APIs.
"""

import resource
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any, get_args

import pytest
from support import fast_stack
from support.arbitrary_values import EXAMPLES
from support.function_changes import function_changes
from support.hostile_server import HostileServer, HostileStep, Step, hostile_server
from support.runs import Runs
from support.wrong_responses import wrong_responses

import handlers.create_run
import handlers.poll_run
import handlers.save_message
import handlers.submit_tool_outputs
from local.stack import LocalStack
from upcall.domain.upstream_run import RunApiName
from upcall.lambda_runtime.clock import SystemClock
from upcall.use_cases import save_message

RUN_APIS: Sequence[RunApiName] = get_args(RunApiName)
STEPS: Sequence[Step] = get_args(Step)

LIMIT_SECONDS = 8
"""Of each run. Polls, requests and their time-outs take their time on this stack."""

WORKFLOW_SPEED = 20
"""The workflow waits less, but not so little that it repeats requests without a pause."""

GRACE_SECONDS = 15
"""For the requests and states after the limit, with several runs at once."""

MESSAGE_SECONDS = 4.0
"""For reading the message, in place of a minute."""

THREADS = 8 if EXAMPLES else 14
"""Most runs wait for a server that does not answer. Many more would wait for each other."""

MAX_MEMORY_MB = 200
"""Beyond what the process has taken before, for all runs of a run API, several at once."""

NOT_READABLE = ("Traceback", "errorMessage", "object at 0x")


@dataclass(frozen=True)
class Hostile:
    """A local stack whose run APIs are served by a hostile server, and the server that its redirects lead to."""

    local_stack: LocalStack
    runs: Runs
    server: HostileServer
    redirected: HostileServer

    def run(self, run_api: RunApiName, number: int) -> dict[str, Any]:
        """Run a prompt that names a fault to the end."""
        prompt = f"Summarise {self.local_stack.endpoints.pages}/tides (fault-{number})"
        return self.runs.run(prompt, run_api=run_api, limits={"seconds": LIMIT_SECONDS}).run


@pytest.fixture
def hostile(local_stack: LocalStack, runs: Runs, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hostile]:
    for handler in (
        handlers.create_run,
        handlers.poll_run,
        handlers.save_message,
        handlers.submit_tool_outputs,
    ):
        monkeypatch.setattr(handler, "SystemClock", SystemClock)
    monkeypatch.setattr(fast_stack, "WORKFLOW_SPEED", WORKFLOW_SPEED)
    monkeypatch.setattr(save_message, "MAX_SECONDS", MESSAGE_SECONDS)
    with hostile_server() as redirected, hostile_server() as server, ExitStack() as changes:
        server.emulator_url = redirected.emulator_url = local_stack.emulator.base_url
        for logical_id, function in local_stack.deployed.functions.items():
            if "OPENAI_BASE_URL" in function.environment:
                environment = {"OPENAI_BASE_URL": server.base_url}
                changes.enter_context(function_changes(local_stack, logical_id, environment=environment))
        yield Hostile(local_stack, runs, server, redirected)


def faults_of(run_api: RunApiName, redirect_to: str) -> Mapping[int, HostileStep]:
    """The faults by number: all of them, or those of the run API's third of the wrong responses, each at one step."""
    everything = [
        HostileStep(f"{name} to {step}", step, response)
        for name, response in wrong_responses(redirect_to).items()
        for step in STEPS
    ]
    first = RUN_APIS.index(run_api)
    chosen = (
        everything
        if EXAMPLES
        else [
            everything[index * len(STEPS) + (index // len(RUN_APIS) + first) % len(STEPS)]
            for index in range(first, len(everything) // len(STEPS), len(RUN_APIS))
        ]
    )
    return dict(enumerate(chosen, start=1))


@pytest.mark.parametrize("run_api", RUN_APIS)
def test_every_run_ends_in_time_with_a_reason(hostile: Hostile, run_api: RunApiName) -> None:
    hostile.server.faults = faults_of(run_api, hostile.redirected.host)
    numbers = list(hostile.server.faults)
    assert hostile.run(run_api, 0)["status"] == "completed", "without a fault"
    memory_before = peak_memory_mb()
    with ThreadPoolExecutor(THREADS) as threads:
        runs = dict(
            zip(numbers, threads.map(lambda number: hostile.run(run_api, number), numbers), strict=True)
        )

    problems = [
        f"{hostile.server.faults[number].name}: {problem}"
        for number, run in runs.items()
        for problem in problems_of(run)
    ]
    assert not problems, "\n".join(problems)
    assert hostile.redirected.requests == [], "redirects are not followed"
    missing = [hostile.server.faults[number].name for number in numbers if not hostile.server.given[number]]
    assert missing == []
    assert peak_memory_mb() - memory_before < MAX_MEMORY_MB


def problems_of(run: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the record of a run that has ended."""
    started_at, ended_at = (datetime.fromisoformat(run[name]) for name in ("created_at", "ended_at"))
    seconds = (ended_at - started_at).total_seconds()
    if seconds > LIMIT_SECONDS + MESSAGE_SECONDS + GRACE_SECONDS:
        yield f"took {seconds:.0f} s"
    if run["status"] == "completed":
        if not run.get("message"):
            yield "completed without a message"
        return
    failure = run["failure"]
    if failure["code"] in ("InternalError", "Sandbox.Timedout", "Timeout", "Unknown", "TransientError"):
        yield f"has the code {failure['code']}: {failure['message']}"
    if len(failure["message"]) < 10 or any(each in failure["message"] for each in NOT_READABLE):
        yield f"has no readable message: {failure['message'][:200]!r}"


def peak_memory_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform == "linux" else peak / 1024 / 1024
