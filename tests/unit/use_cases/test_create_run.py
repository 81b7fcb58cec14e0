from collections.abc import Callable
from typing import Any

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository, hold_back
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.tools import FakeTools
from support.run_records import ANSWER, FAILURE, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.caller import EVENTS
from upcall.domain.errors import NotFound, RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.failure import Failure
from upcall.domain.limits import Limits
from upcall.domain.prices import PriceList
from upcall.domain.rate_limit import Ticket
from upcall.domain.run import Run
from upcall.domain.upstream_errors import MAX_ERRORS, MAX_PAUSE_SECONDS, NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamRun, UpstreamSnapshot
from upcall.domain.usage import NO_USAGE, Usage
from upcall.run_apis.base import MIN_REQUEST_SECONDS
from upcall.run_apis.client import TIMEOUT_SECONDS
from upcall.use_cases.create_run import RunCreated, create_run
from upcall.use_cases.upstream_request import MIN_PAUSE_SECONDS

Create = Callable[..., RunCreated]
"""Create a run that was started a second ago, or `seconds` ago, after `errors` of earlier tries, or request
its turn again which has `failed` with this `usage`."""


@pytest.fixture
def create(
    repository: InMemoryRunRepository,
    rate_limits: InMemoryRateLimitRepository,
    run_api: FakeRunApi,
    clock: FakeClock,
) -> Create:
    def call(
        run: Run,
        seconds: float = 1,
        errors: UpstreamErrors = NO_ERRORS,
        failed: UpstreamRun | None = None,
        usage: Usage = NO_USAGE,
        *,
        ticket: Ticket | None = None,
        one_tenant: bool = True,
    ) -> RunCreated:
        created = create_run(
            run.run_id,
            "token",
            seconds,
            errors,
            failed,
            usage,
            ticket,
            may_wait=True,
            webhooks=False,
            window_seconds=0,
            one_tenant=one_tenant,
            repository=repository,
            rate_limits=rate_limits,
            get_run_api=run_api.get,
            tools=FakeTools(),
            prices=PriceList(),
            clock=clock,
        )
        assert created is not None
        return created

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    return repository.add_run(new_run())


def test_a_run_is_created_upstream_and_its_ids_are_recorded(
    create: Create, run: Run, repository: InMemoryRunRepository
) -> None:
    created = create(run)

    assert created.upstream_run is not None
    assert created.upstream_run.ids == {"response_id": "resp_1"}
    found = repository.get_run(run.run_id)
    assert (found.status, found.upstream_run) == ("in_progress", created.upstream_run)


def test_the_workflow_gets_tools_limits_and_counters(create: Create, run: Run) -> None:
    created = create(run)

    assert created.tools == ("fetch", "read_object")
    assert created.limits.model_dump() == {
        "rounds": 10,
        "calls_per_round": 50,
        "seconds": 900,
        "answer_seconds": 259_200,
        "tokens": 1_000_000,
        "usd": None,
    }
    assert (created.round, created.tokens, created.answered_calls) == (0, 0, 0)
    assert (created.pause_seconds, created.failure) == (0, None)


def test_a_tool_with_a_rule_is_listed_with_its_rule_only(
    create: Create, repository: InMemoryRunRepository
) -> None:
    """A workflow that knows no approvals, of a run that was started before an update, does not call it."""
    created = create(repository.add_run(new_run(assistant="announcer")))

    assert created.tools == ("fetch", "read_object")
    assert created.approval == {"notify": "required"}


def test_the_request_has_the_run_its_assistant_and_the_definitions_of_its_tools(
    create: Create, run: Run, run_api: FakeRunApi
) -> None:
    create(run)

    ((request, _, answered_calls),) = run_api.created
    assert (request.run.run_id, request.assistant.name) == (run.run_id, "summarizer")
    assert [tool.name for tool in request.tools] == ["fetch", "read_object"]
    assert answered_calls == []


@pytest.mark.parametrize(
    ("one_tenant", "owner", "tools"),
    [
        (True, "ann", ("fetch", "read_object")),
        (False, "ann", ("fetch",)),
        (False, EVENTS, ("fetch", "read_object")),
    ],
    ids=["one tenant", "many tenants", "an event"],
)
def test_only_a_run_that_may_read_the_stacks_data_has_the_tool_for_it(
    create: Create,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    one_tenant: bool,
    owner: str,
    tools: tuple[str, ...],
) -> None:
    run = repository.add_run(new_run(owner=owner))

    assert create(run, one_tenant=one_tenant).tools == tools
    assert tuple(tool.name for tool in run_api.created[0][0].tools) == tools


def test_a_second_try_returns_the_run_that_the_first_one_created(
    create: Create, run: Run, run_api: FakeRunApi
) -> None:
    assert create(run) == create(run)
    assert len(run_api.created) == 1


def test_the_intent_is_recorded_before_the_run_is_created(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    intents = []
    run_api.during_next("create", lambda: intents.append(repository.get_run(run.run_id).intent))

    create(run)

    assert [intent and intent.ids for intent in intents] == [{"intent_id": "intent_1"}]


def test_a_second_try_uses_the_intent_of_the_first_one(create: Create, run: Run, run_api: FakeRunApi) -> None:
    run_api.fail_next("create", TransientError("no connection"))
    assert create(run).upstream_run is None

    assert create(run).upstream_run is not None

    assert len(run_api.prepared) == 1
    ((_, intent, _),) = run_api.created
    assert intent.ids == {"intent_id": "intent_1"}


def test_a_run_that_ends_while_it_is_created_is_cancelled_upstream(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.during_next("create", lambda: repository.record_failure(run, FAILURE, USAGE, START))

    with pytest.raises(RunAlreadyEnded):
        create(run)
    assert run_api.cancelled == [UPSTREAM_RUN]
    assert repository.get_run(run.run_id).upstream_run is None


def test_a_run_that_ended_while_it_was_prepared_is_not_created(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.during_next("prepare", lambda: repository.record_failure(run, FAILURE, USAGE, START))

    with pytest.raises(RunAlreadyEnded):
        create(run)
    assert run_api.created == []


@pytest.mark.parametrize("method", ["prepare", "create"])
def test_a_request_that_the_server_rejects_is_the_runs_failure(
    create: Create, run: Run, run_api: FakeRunApi, method: Any
) -> None:
    run_api.fail_next(method, RequestRejected("400: Unknown model.", code="model_not_found"))

    created = create(run)

    assert created.upstream_run is None
    assert created.failure == Failure(code="RequestRejected", message="400: Unknown model.")


@pytest.mark.parametrize(("retry_after", "pause"), [(7.5, 7.5), (0, MIN_PAUSE_SECONDS)])
def test_a_server_that_says_when_to_come_back_is_waited_for(
    create: Create, run: Run, run_api: FakeRunApi, retry_after: float, pause: float
) -> None:
    run_api.fail_next("create", TransientError("429", retry_after=retry_after))

    created = create(run)

    assert (created.upstream_run, created.pause_seconds, created.failure) == (None, pause, None)


@pytest.mark.parametrize("method", ["prepare", "create"])
def test_after_an_error_that_does_not_say_when_to_come_back_the_workflow_waits_and_tries_again(
    create: Create, run: Run, run_api: FakeRunApi, method: Any
) -> None:
    run_api.fail_next(method, TransientError("503", detail="503: Try later."))

    created = create(run)

    assert (created.upstream_run, created.failure) == (None, None)
    assert created.pause_seconds == MIN_PAUSE_SECONDS
    assert created.errors == UpstreamErrors(count=1, last="503: Try later.")
    assert create(run, errors=created.errors).errors == NO_ERRORS


def test_pauses_grow_and_the_last_error_of_seven_in_a_row_is_the_runs_failure(
    create: Create, run: Run, run_api: FakeRunApi
) -> None:
    for number in range(1, MAX_ERRORS + 1):
        run_api.fail_next("create", TransientError("503", detail=f"503: Try {number}."))

    results = [create(run)]
    while results[-1].failure is None:
        assert results[-1].upstream_run is None
        results.append(create(run, errors=results[-1].errors))

    assert len(results) == MAX_ERRORS == 7
    assert run_api.created == []
    pauses = [result.pause_seconds for result in results[:-1]]
    longest = [MIN_PAUSE_SECONDS, 2, 4, 8, 16, MAX_PAUSE_SECONDS]
    assert all(end / 2 <= pause <= end for pause, end in zip(pauses, longest, strict=True)), pauses
    assert results[-1].failure == Failure(
        code="upstream_error",
        message="7 requests to the server failed in a row. The last error: 503: Try 7.",
    )


def test_errors_with_retry_after_are_not_counted(create: Create, run: Run, run_api: FakeRunApi) -> None:
    for _ in range(20):
        run_api.fail_next("create", TransientError("429", retry_after=2))

    created = create(run)
    for _ in range(19):
        created = create(run, errors=created.errors)

    assert (created.failure, created.pause_seconds) == (None, 2)
    assert create(run, errors=created.errors).upstream_run == UPSTREAM_RUN


def test_a_pause_does_not_outlast_the_runs_time_limit(
    create: Create, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run = repository.add_run(new_run(limits=Limits(seconds=60)))
    run_api.fail_next("create", TransientError("429", retry_after=3600))

    assert create(run, seconds=57).pause_seconds == pytest.approx(3)


@pytest.mark.parametrize("method", ["prepare", "create"])
@pytest.mark.parametrize("seconds", [0, 10, 29.5])
def test_a_server_that_never_answers_does_not_keep_a_run_beyond_its_time_limit(
    create: Create,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    clock: FakeClock,
    method: Any,
    seconds: float,
) -> None:
    run = repository.add_run(new_run(limits=Limits(seconds=30)))
    run_api.hang_next(method, clock)

    created = create(run, seconds=seconds)

    assert seconds + clock.monotonic() <= 30 + MIN_REQUEST_SECONDS
    assert created.failure == Failure(
        code="limit_seconds",
        message="The run was not done after 30 seconds. "
        "The last error of the server: no answer (ReadTimeout)",
    )
    assert repository.get_run(run.run_id).upstream_run is None


def test_a_request_of_a_run_without_a_close_time_limit_takes_no_longer_than_usual(
    create: Create, run: Run, run_api: FakeRunApi, clock: FakeClock
) -> None:
    run_api.hang_next("create", clock)

    created = create(run)

    assert created.failure is None
    assert clock.monotonic() == pytest.approx(TIMEOUT_SECONDS, abs=0.1)


def test_the_time_limit_tells_of_errors_of_earlier_tries(
    create: Create, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run = repository.add_run(new_run(limits=Limits(seconds=60)))
    run_api.fail_next("create", TransientError("429", retry_after=5, detail="429: Slow down."))

    failure = create(run, 60, UpstreamErrors(count=3, last="503")).failure

    assert failure is not None
    assert failure.message.endswith("The last error of the server: 429: Slow down.")


def test_a_wait_for_the_server_ends_at_the_runs_time_limit(
    create: Create, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run = repository.add_run(new_run(limits=Limits(seconds=60)))
    run_api.fail_next("create", TransientError("429", retry_after=5))

    failure = create(run, seconds=60).failure

    assert failure is not None
    assert failure.code == "limit_seconds"


def test_a_later_attempt_gets_the_answered_calls_and_goes_on_counting(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
    ended = repository.record_failure(repository.get_run(run.run_id), FAILURE, USAGE, START)
    repository.reopen_run(ended, None)

    created = create(run)

    ((_, _, answered_calls),) = run_api.created
    assert answered_calls == [ANSWER]
    assert (created.round, created.answered_calls, created.tokens) == (1, 1, 2 * USAGE.total_tokens)


def test_a_run_that_does_not_exist_is_not_found(create: Create) -> None:
    with pytest.raises(NotFound):
        create(new_run())


def test_a_run_whose_assistant_was_removed_is_not_found(
    create: Create, repository: InMemoryRunRepository
) -> None:
    run = repository.add_run(new_run(assistant="removed"))

    with pytest.raises(NotFound, match="there is no assistant 'removed'"):
        create(run)


AGAIN = UpstreamRun(run_api="responses", ids={"response_id": "again_1"})


def test_a_turn_that_failed_is_requested_again_with_the_answered_calls(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    create(run)
    repository.record_round(repository.get_run(run.run_id), UPSTREAM_RUN, [ANSWER], USAGE)

    created = create(run, failed=UPSTREAM_RUN, usage=USAGE)

    assert created.upstream_run == AGAIN
    ((request, failed, answered_calls),) = run_api.repeated
    assert (request.run.run_id, failed, answered_calls) == (run.run_id, UPSTREAM_RUN, [ANSWER])
    assert len(run_api.created) == 1
    found = repository.get_run(run.run_id)
    assert (found.status, found.upstream_run, found.round) == ("in_progress", AGAIN, 1)


def test_the_tokens_of_a_turn_that_failed_count_once(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    create(run)
    run_api.fail_next("repeat", TransientError("503"))

    results = [create(run, failed=UPSTREAM_RUN, usage=USAGE) for _ in range(3)]

    assert [result.tokens for result in results] == [USAGE.total_tokens] * 3
    assert [result.upstream_run for result in results] == [None, AGAIN, AGAIN]
    assert len(run_api.repeated) == 1
    assert repository.get_run(run.run_id).usage == USAGE


def test_errors_of_requests_do_not_end_the_count_of_turns_that_failed(
    create: Create, run: Run, run_api: FakeRunApi
) -> None:
    create(run)
    errors = UpstreamErrors(last="Slow down.", failed_turns=2)
    run_api.fail_next("repeat", TransientError("503", detail="503: Later."))
    run_api.snapshots = [UpstreamSnapshot(status="in_progress")]

    failed = create(run, errors=errors, failed=UPSTREAM_RUN)
    repeated = create(run, errors=failed.errors, failed=UPSTREAM_RUN)

    assert failed.errors == UpstreamErrors(count=1, last="503: Later.", failed_turns=2)
    assert repeated.errors == UpstreamErrors(last="503: Later.", failed_turns=2)


def test_a_run_that_ends_while_its_turn_is_requested_again_is_cancelled_upstream(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    create(run)
    current = repository.get_run(run.run_id)
    run_api.during_next("repeat", lambda: repository.record_failure(current, FAILURE, USAGE, START))

    with pytest.raises(RunAlreadyEnded):
        create(run, failed=UPSTREAM_RUN)
    assert run_api.cancelled == [AGAIN]


def test_a_run_waits_for_the_rate_limit_with_its_ticket_and_is_created_after_that(
    create: Create, run: Run, rate_limits: InMemoryRateLimitRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    hold_back(rate_limits, run.model, clock.now().timestamp(), 30)
    waiting = create(run)

    assert (waiting.status, waiting.upstream_run, waiting.failure) == ("queued", None, None)
    assert waiting.pause_seconds >= 29
    assert run_api.created == []
    clock.advance(waiting.pause_seconds)
    assert create(run, ticket=waiting.ticket).upstream_run is not None


def test_a_run_that_an_earlier_try_has_created_waits_for_no_rate_limit(
    create: Create, run: Run, rate_limits: InMemoryRateLimitRepository, clock: FakeClock
) -> None:
    created = create(run)
    hold_back(rate_limits, run.model, clock.now().timestamp(), 30)

    assert create(run).upstream_run == created.upstream_run
