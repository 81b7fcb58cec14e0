import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository, hold_back
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.tools import FakeTools
from support.run_records import (
    ANSWER,
    CALL,
    FAILURE,
    NEXT_UPSTREAM_RUN,
    OUTPUT,
    UPSTREAM_RUN,
    USAGE,
    new_run,
)

from upcall.domain.errors import NotFound, RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.failure import Failure
from upcall.domain.prices import PriceList
from upcall.domain.rate_limit import Ticket
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_errors import MAX_ERRORS, NO_ERRORS, UpstreamErrors
from upcall.run_apis.base import MIN_REQUEST_SECONDS
from upcall.use_cases.submit_tool_outputs import OutputsSubmitted, submit_tool_outputs
from upcall.use_cases.upstream_request import MIN_PAUSE_SECONDS

RESULT = OUTPUT.model_dump(mode="json")

Submit = Callable[..., OutputsSubmitted]
"""Submit the results of the calls of a round."""


@pytest.fixture
def submit(
    repository: InMemoryRunRepository,
    rate_limits: InMemoryRateLimitRepository,
    run_api: FakeRunApi,
    clock: FakeClock,
) -> Submit:
    def call(
        run: Run,
        results: Sequence[object] = (RESULT,),
        calls: Sequence[ToolCall] = (CALL,),
        *,
        round_number: int = 1,
        seconds: float = 1,
        errors: UpstreamErrors = NO_ERRORS,
        ticket: Ticket | None = None,
        one_tenant: bool = True,
    ) -> OutputsSubmitted:
        submitted = submit_tool_outputs(
            run.run_id,
            "token",
            UPSTREAM_RUN,
            round_number,
            calls,
            results,
            USAGE,
            seconds,
            errors,
            ticket,
            may_wait=True,
            window_seconds=0,
            one_tenant=one_tenant,
            repository=repository,
            rate_limits=rate_limits,
            get_run_api=run_api.get,
            tools=FakeTools(),
            prices=PriceList(),
            clock=clock,
        )
        assert submitted is not None
        return submitted

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    """A run in progress."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    return repository.get_run(run.run_id)


def test_outputs_are_submitted_and_written_to_the_ledger(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    result = submit(run)

    ((_, upstream_run, answers),) = run_api.submitted
    assert (upstream_run, answers) == (UPSTREAM_RUN, (ANSWER,))
    found = repository.get_run(run.run_id)
    assert found.upstream_run == result.upstream_run == NEXT_UPSTREAM_RUN
    assert (found.round, found.tool_calls, found.usage) == (1, 1, USAGE)
    assert repository.get_ledger(run.run_id) == [ANSWER]


def test_the_outputs_of_a_round_are_submitted_at_once_and_in_order(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    calls = [CALL.model_copy(update={"call_id": call_id}) for call_id in ("b", "a")]
    submit(run, [{**RESULT, "call_id": call.call_id} for call in calls], calls)

    ((_, _, answers),) = run_api.submitted
    assert [answer.output.call_id for answer in answers] == ["b", "a"]
    assert [(answer.round, answer.position) for answer in answers] == [(1, 1), (1, 2)]
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


def test_calls_of_several_rounds_with_the_same_ids_are_submitted_and_recorded_each_with_its_own_output(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    """Some servers number the calls of each round anew, such as `pay:0`."""
    for number, bought in enumerate(["milk", "bread", "milk"], start=1):
        call = ToolCall(call_id="pay:0", name="pay", arguments=json.dumps({"for": bought}))
        result = {"call_id": "pay:0", "outcome": "ok", "output": f"Paid for {bought} ({number})."}
        submit(run, [result], [call], round_number=number)

    expected = ["Paid for milk (1).", "Paid for bread (2).", "Paid for milk (3)."]
    assert [answer.output.output for _, _, (answer,) in run_api.submitted] == expected
    ledger = repository.get_ledger(run.run_id)
    assert [(entry.round, entry.position, entry.output.output) for entry in ledger] == [
        (number, 1, output) for number, output in enumerate(expected, start=1)
    ]


def test_a_second_attempt_goes_on_after_the_rounds_of_the_first(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    submit(run)
    ended = repository.record_failure(repository.get_run(run.run_id), FAILURE, USAGE, START)
    repository.record_creation(repository.reopen_run(ended, None), UPSTREAM_RUN, "polled")
    submit(run, round_number=2)

    assert [answer.round for _, _, (answer,) in run_api.submitted] == [1, 2]
    assert [request.run.attempt for request, _, _ in run_api.submitted] == [1, 2]
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

    ((_, _, (answer,)),) = run_api.submitted
    output = answer.output
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


def test_after_an_error_that_does_not_say_when_to_come_back_the_workflow_waits_and_tries_again(
    submit: Submit, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("submit", TransientError("503", detail="503: Try later."))

    result = submit(run)

    assert (result.upstream_run, result.failure) == (UPSTREAM_RUN, None)
    assert result.pause_seconds == MIN_PAUSE_SECONDS
    assert result.errors == UpstreamErrors(count=1, last="503: Try later.")
    assert repository.get_ledger(run.run_id) == []
    again = submit(run, errors=result.errors)
    assert (again.upstream_run, again.errors) == (NEXT_UPSTREAM_RUN, NO_ERRORS)


def test_the_last_error_of_seven_in_a_row_is_the_runs_failure(
    submit: Submit, run: Run, run_api: FakeRunApi
) -> None:
    for _ in range(MAX_ERRORS):
        run_api.fail_next("submit", TransientError("503", detail="503: Try later."))

    result = submit(run)
    for _ in range(MAX_ERRORS - 1):
        assert result.failure is None
        result = submit(run, errors=result.errors)

    assert result.failure == Failure(
        code="upstream_error",
        message="7 requests to the server failed in a row. The last error: 503: Try later.",
    )
    assert result.upstream_run == UPSTREAM_RUN, "what is still running there is cancelled by Record failure"


def test_a_server_that_never_answers_does_not_keep_a_run_beyond_its_time_limit(
    submit: Submit, run: Run, run_api: FakeRunApi, clock: FakeClock
) -> None:
    run_api.hang_next("submit", clock)

    result = submit(run, seconds=run.limits.seconds - 20)

    assert clock.monotonic() <= 20 + MIN_REQUEST_SECONDS
    assert result.upstream_run == UPSTREAM_RUN
    assert result.failure == Failure(
        code="limit_seconds",
        message="The run was not done after 900 seconds. "
        "The last error of the server: no answer (ReadTimeout)",
    )


def test_a_pause_does_not_outlast_the_runs_time_limit(submit: Submit, run: Run, run_api: FakeRunApi) -> None:
    run_api.fail_next("submit", TransientError("429", retry_after=3600))

    assert submit(run, seconds=run.limits.seconds - 3).pause_seconds == pytest.approx(3)


def test_a_run_that_does_not_exist_is_not_found(submit: Submit) -> None:
    with pytest.raises(NotFound):
        submit(new_run())


def test_outputs_wait_for_the_rate_limit_with_their_ticket_and_are_submitted_after_that(
    submit: Submit, run: Run, rate_limits: InMemoryRateLimitRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    hold_back(rate_limits, run.model, clock.now().timestamp(), 30)
    waiting = submit(run)

    assert (waiting.status, waiting.failure) == ("requires_action", None)
    assert waiting.pause_seconds >= 29
    assert run_api.submitted == []
    clock.advance(waiting.pause_seconds)
    submit(run, ticket=waiting.ticket)
    assert len(run_api.submitted) == 1
