from collections.abc import Callable
from typing import Any

import pytest
from support.fakes.clock import START
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.tools import FakeTools
from support.run_records import CALL, FAILURE, OUTPUT, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.caller import EVENTS
from upcall.domain.errors import NotFound, RequestRejected, RunAlreadyEnded, TransientError
from upcall.domain.failure import Failure
from upcall.domain.limits import Limits
from upcall.domain.run import Run
from upcall.use_cases.create_run import RunCreated, create_run
from upcall.use_cases.upstream_request import MIN_PAUSE_SECONDS

Create = Callable[..., RunCreated]
"""Create a run that was started a second ago, or `seconds` ago."""


@pytest.fixture
def create(repository: InMemoryRunRepository, run_api: FakeRunApi) -> Create:
    def call(run: Run, seconds: float = 1, *, one_tenant: bool = True) -> RunCreated:
        return create_run(
            run.run_id,
            seconds,
            one_tenant=one_tenant,
            repository=repository,
            get_run_api=run_api.get,
            tools=FakeTools(),
        )

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
        "tokens": 1_000_000,
    }
    assert (created.round, created.tokens, created.tool_calls) == (0, 0, 0)
    assert (created.pause_seconds, created.failure) == (0, None)


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
    with pytest.raises(TransientError):
        create(run)

    create(run)

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


def test_a_server_that_does_not_say_when_to_come_back_is_retried_by_the_workflow(
    create: Create, run: Run, run_api: FakeRunApi
) -> None:
    run_api.fail_next("create", TransientError("503"))

    with pytest.raises(TransientError):
        create(run)


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
    repository.record_round(run, UPSTREAM_RUN, [CALL], [OUTPUT], USAGE)
    ended = repository.record_failure(repository.get_run(run.run_id), FAILURE, USAGE, START)
    repository.reopen_run(ended, None)

    created = create(run)

    ((_, _, answered_calls),) = run_api.created
    assert [(entry.call, entry.output) for entry in answered_calls] == [(CALL, OUTPUT)]
    assert (created.round, created.tool_calls, created.tokens) == (1, 1, 2 * USAGE.total_tokens)


def test_a_run_that_does_not_exist_is_not_found(create: Create) -> None:
    with pytest.raises(NotFound):
        create(new_run())


def test_a_run_whose_assistant_was_removed_is_not_found(
    create: Create, repository: InMemoryRunRepository
) -> None:
    run = repository.add_run(new_run(assistant="removed"))

    with pytest.raises(NotFound, match="there is no assistant 'removed'"):
        create(run)
