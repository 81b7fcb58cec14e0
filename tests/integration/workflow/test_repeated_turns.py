"""A turn that failed upstream for a reason that passes is requested again, within the limits of the run."""

from typing import get_args

import pytest
from support.fast_stack import workflow_waits
from support.runs import Runs

from local.openai_emulator import Call, CallTools, Fail, FailAtFirst, Fault, Hang, Say
from local.stack import LocalStack
from upcall.domain.upstream_errors import MAX_ERRORS
from upcall.domain.upstream_run import RunApiName

SERVER_ERROR = Fail("server_error", "Sorry.")
SLOW_DOWN = Fail("rate_limit_exceeded", "Slow down.")
DONE = Say("Done.")
CALLS = CallTools((Call("fetch", "{"), Call("nothing", "{}")))

every_run_api = pytest.mark.parametrize("api", get_args(RunApiName))


@every_run_api
@pytest.mark.parametrize("failure", [SERVER_ERROR, SLOW_DOWN], ids=lambda failure: failure.code)
def test_a_run_whose_first_turn_fails_twice_completes(runs: Runs, api: str, failure: Fail) -> None:
    ended = runs.run_script(FailAtFirst(failure, DONE, times=2), run_api=api)

    assert (ended.run["status"], ended.run["message"]) == ("completed", "Done.")
    assert len(ended.conversations) == 3
    first, second = workflow_waits[ended.run["run_id"]]
    assert 1 <= first <= second <= 2


def test_after_tool_calls_the_turn_is_requested_again_with_the_same_outputs(runs: Runs) -> None:
    ended = runs.run_script(CALLS, CALLS, FailAtFirst(SERVER_ERROR, DONE))

    assert (ended.run["status"], ended.run["round"], ended.run["tool_calls"]) == ("completed", 2, 4)
    assert ended.conversations[-1] == ended.conversations[-2]
    assert len(ended.conversations[-1].rounds) == 2


def test_a_turn_that_is_requested_again_may_call_tools(runs: Runs) -> None:
    ended = runs.run_script(FailAtFirst(SLOW_DOWN, CALLS), FailAtFirst(SERVER_ERROR, DONE))

    assert (ended.run["status"], ended.run["round"], ended.run["tool_calls"]) == ("completed", 1, 2)
    assert [len(each.rounds) for each in ended.conversations] == [0, 0, 1, 1]


@pytest.mark.parametrize("api", ["assistants", "agents"])
def test_a_run_that_would_call_its_tools_again_fails_as_it_did_upstream(runs: Runs, api: str) -> None:
    run = runs.run_script(CALLS, SERVER_ERROR, run_api=api).run

    assert (run["status"], run["failure"]["message"]) == ("failed", "Sorry.")


@every_run_api
def test_a_run_that_fails_every_time_says_so(runs: Runs, api: str) -> None:
    ended = runs.run_script(SERVER_ERROR, run_api=api)

    assert ended.run["failure"]["code"] == "server_error"
    assert ended.run["failure"]["message"] == "The run failed 7 times upstream. The last error: Sorry."
    assert len(ended.conversations) == MAX_ERRORS == 7
    assert 31 <= sum(workflow_waits[ended.run["run_id"]]) <= 64


def test_the_tokens_of_turns_that_failed_count(runs: Runs) -> None:
    one = runs.run_script(Say("Done."), prompt="x" * 400).run
    three = runs.run_script(FailAtFirst(SERVER_ERROR, DONE, times=2), prompt="x" * 400).run

    assert three["usage"]["input_tokens"] == 3 * one["usage"]["input_tokens"] > 300


def test_errors_of_requests_and_turns_that_fail_are_counted_apart(
    runs: Runs, local_stack: LocalStack
) -> None:
    faults = [Fault("create", 503) for _ in range(MAX_ERRORS - 1)]
    ended = runs.run_script(FailAtFirst(SERVER_ERROR, DONE, times=MAX_ERRORS - 1), faults=faults)

    assert ended.run["status"] == "completed"


def test_the_time_limit_holds_and_tells_of_the_turn_that_failed(runs: Runs) -> None:
    run = runs.run_script(FailAtFirst(SLOW_DOWN, Hang()), limits={"seconds": 4}).run

    assert run["failure"]["code"] == "limit_seconds"
    assert run["failure"]["message"].endswith("The last error of the server: Slow down.")
