import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.fakes.clock import START
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.tools import FakeTools
from support.run_records import CALL, FAILURE, NEXT_UPSTREAM_RUN, OUTPUT, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.errors import NotFound, RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall
from upcall.use_cases.submit_tool_outputs import submit_tool_outputs
from upcall.use_cases.upstream_request import UpstreamResult

RESULT = OUTPUT.model_dump(mode="json")

Submit = Callable[..., UpstreamResult]
"""Submit the results of the calls of a round."""


@pytest.fixture
def submit(repository: InMemoryRunRepository, run_api: FakeRunApi) -> Submit:
    def call(
        run: Run,
        results: Sequence[object] = (RESULT,),
        calls: Sequence[ToolCall] = (CALL,),
        *,
        round_number: int = 1,
        seconds: float = 1,
        one_tenant: bool = True,
    ) -> UpstreamResult:
        return submit_tool_outputs(
            run.run_id,
            UPSTREAM_RUN,
            round_number,
            calls,
            results,
            USAGE,
            seconds,
            one_tenant=one_tenant,
            repository=repository,
            get_run_api=run_api.get,
            tools=FakeTools(),
        )

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run in progress."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN)
    return repository.get_run(run.run_id)


def test_outputs_are_submitted_and_written_to_the_ledger(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    result = submit(run)

    ((_, upstream_run, outputs),) = run_api.submitted
    assert (upstream_run, outputs) == (UPSTREAM_RUN, (OUTPUT,))
    found = repository.get_run(run.run_id)
    assert found.upstream_run == result.upstream_run == NEXT_UPSTREAM_RUN
    assert (found.round, found.tool_calls, found.usage) == (1, 1, USAGE)
    (entry,) = repository.get_ledger(run.run_id)
    assert (entry.call, entry.output) == (CALL, OUTPUT)


def test_the_outputs_of_a_round_are_submitted_at_once_and_in_order(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    calls = [CALL.model_copy(update={"call_id": call_id}) for call_id in ("b", "a")]
    submit(run, [{**RESULT, "call_id": call.call_id} for call in calls], calls)

    ((_, _, outputs),) = run_api.submitted
    assert [output.call_id for output in outputs] == ["b", "a"]
    assert [entry.call.call_id for entry in repository.get_ledger(run.run_id)] == ["b", "a"]


def test_a_second_try_submits_nothing(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    assert submit(run) == submit(run)
    assert len(run_api.submitted) == 1
    assert repository.get_run(run.run_id).usage == USAGE


def test_the_next_round_is_submitted(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    submit(run)
    submit(run, round_number=2)

    assert len(run_api.submitted) == 2
    assert [entry.round for entry in repository.get_ledger(run.run_id)] == [1, 2]


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        "done",
        {},
        {"call_id": "another", "outcome": "ok", "output": "x"},
        {"call_id": "call_1", "outcome": "fine", "output": "x"},
        {"call_id": "call_1", "outcome": "ok", "output": "x", "colour": "red"},
    ],
    ids=repr,
)
def test_a_result_that_is_no_output_of_the_call_is_an_error_that_the_model_reads(
    submit: Submit, run: Run, run_api: FakeRunApi, result: Any
) -> None:
    submit(run, [result])

    ((_, _, (output,)),) = run_api.submitted
    assert (output.call_id, output.outcome) == ("call_1", "error")
    message = "The tool fetch gave no readable output. Whether it had an effect is not known."
    assert json.loads(output.output) == {"error": message}


@pytest.mark.parametrize(
    ("one_tenant", "tools"), [(True, ["fetch", "read_object"]), (False, ["fetch"])], ids=["one", "many"]
)
def test_the_next_turn_has_the_tools_that_the_run_may_use(
    submit: Submit, run: Run, run_api: FakeRunApi, one_tenant: bool, tools: list[str]
) -> None:
    submit(run, one_tenant=one_tenant)

    ((request, _, _),) = run_api.submitted
    assert (request.run.run_id, request.assistant.name) == (run.run_id, "summarizer")
    assert [tool.name for tool in request.tools] == tools


def test_a_run_that_ends_while_outputs_are_submitted_is_cancelled_upstream(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.during_next("submit", lambda: repository.record_failure(run, FAILURE, USAGE, START))

    with pytest.raises(RunAlreadyEnded):
        submit(run)
    assert run_api.cancelled == [NEXT_UPSTREAM_RUN]
    assert repository.get_run(run.run_id).round == 0


def test_outputs_that_the_server_rejects_are_the_runs_failure(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("submit", RequestRejected("400: No tool call found."))

    result = submit(run)

    assert result.failure == Failure(code="RequestRejected", message="400: No tool call found.")
    assert result.upstream_run == UPSTREAM_RUN, "what is still running there is cancelled by Record failure"
    assert repository.get_ledger(run.run_id) == []


def test_a_server_that_says_when_to_come_back_is_waited_for(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("submit", TransientError("429", retry_after=3))

    result = submit(run)

    assert (result.pause_seconds, result.failure, result.upstream_run) == (3, None, UPSTREAM_RUN)
    assert repository.get_run(run.run_id).round == 0
    assert submit(run).upstream_run == NEXT_UPSTREAM_RUN


def test_a_wait_for_the_server_ends_at_the_runs_time_limit(
    submit: Submit, run: Run, run_api: FakeRunApi
) -> None:
    run_api.fail_next("submit", TransientError("429", retry_after=3))

    failure = submit(run, seconds=run.limits.seconds).failure

    assert failure is not None
    assert failure.code == "limit_seconds"


def test_a_server_that_does_not_say_when_to_come_back_is_retried_by_the_workflow(
    submit: Submit, run: Run, run_api: FakeRunApi
) -> None:
    run_api.fail_next("submit", TransientError("503"))

    with pytest.raises(TransientError):
        submit(run)


def test_a_run_that_does_not_exist_is_not_found(submit: Submit) -> None:
    with pytest.raises(NotFound):
        submit(new_run())
