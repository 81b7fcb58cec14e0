"""After a request that lets the model work, a run waits for a webhook or is polled."""

from collections.abc import Callable
from typing import Any

import pytest
from support.fakes.clock import FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.tools import FakeTools
from support.run_records import ANSWER, CALL, FAILURE, NEXT_UPSTREAM_RUN, OUTPUT, UPSTREAM_RUN, USAGE, new_run

from upcall.domain.errors import TransientError
from upcall.domain.limits import Counters
from upcall.domain.prices import PriceList
from upcall.domain.run import Run, Updates
from upcall.domain.upstream_errors import NO_ERRORS, UpstreamErrors
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.domain.usage import NO_USAGE
from upcall.use_cases.create_run import RunCreated, create_run
from upcall.use_cases.submit_tool_outputs import OutputsSubmitted, submit_tool_outputs
from upcall.use_cases.wait_for_change import MIN_SECONDS_LEFT

WORKING = UpstreamSnapshot(status="in_progress")
WINDOW_SECONDS = 4

Create = Callable[..., RunCreated | None]
"""Create a run whose model goes on working."""

Submit = Callable[..., OutputsSubmitted | None]
"""Submit the first round of a run whose model then goes on working."""


@pytest.fixture
def wired(repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock) -> dict[str, Any]:
    """What both use cases get."""
    run_api.snapshots = [WORKING]
    return {
        "window_seconds": WINDOW_SECONDS,
        "one_tenant": True,
        "repository": repository,
        "rate_limits": InMemoryRateLimitRepository(),
        "get_run_api": run_api.get,
        "tools": FakeTools(),
        "prices": PriceList(),
        "clock": clock,
    }


@pytest.fixture
def create(wired: dict[str, Any]) -> Create:
    def call(
        run: Run, seconds: float = 1, *, may_wait: bool = True, webhooks: bool = True
    ) -> RunCreated | None:
        return create_run(
            run.run_id, "token", seconds, NO_ERRORS, may_wait=may_wait, webhooks=webhooks, **wired
        )

    return call


@pytest.fixture
def submit(wired: dict[str, Any]) -> Submit:
    def call(
        run: Run, seconds: float = 1, *, may_wait: bool = True, errors: UpstreamErrors = NO_ERRORS
    ) -> OutputsSubmitted | None:
        return submit_tool_outputs(
            run.run_id,
            "token",
            UPSTREAM_RUN,
            1,
            [CALL],
            [OUTPUT.model_dump(mode="json")],
            USAGE,
            seconds,
            errors,
            may_wait=may_wait,
            **wired,
        )

    return call


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    return repository.add_run(new_run())


def created_run(repository: InMemoryRunRepository, updates: Updates) -> Run:
    """A run in progress that learns of changes this way."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, updates)
    return run


@pytest.mark.parametrize(
    ("webhooks", "sends_webhooks", "updates"),
    [(True, True, "pushed"), (True, False, "polled"), (False, True, "polled")],
    ids=["with webhooks", "a server without webhooks", "a stack without webhooks"],
)
def test_a_created_run_waits_only_where_there_are_webhooks_and_its_record_says_so(
    create: Create,
    run: Run,
    repository: InMemoryRunRepository,
    run_api: FakeRunApi,
    clock: FakeClock,
    webhooks: bool,
    sends_webhooks: bool,
    updates: Updates,
) -> None:
    run_api.sends_webhooks = sends_webhooks

    created = create(run, webhooks=webhooks)

    assert repository.get_run(run.run_id).updates == updates
    if updates == "pushed":
        assert (created, clock.sleeps) == (None, [])
    else:
        assert created is not None
        assert (created.updates, created.status) == ("polled", "in_progress")
        assert sum(clock.sleeps) == pytest.approx(WINDOW_SECONDS)
        assert repository.get_waiting_task("resp_1") is None


def test_the_task_of_a_created_run_returns_what_the_function_would_have_returned(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    assert create(run, seconds=1) is None
    task = repository.get_waiting_task("resp_1")
    assert task is not None
    run_api.snapshots = [UpstreamSnapshot.requires_action((CALL,), USAGE)]

    returned = create(run, may_wait=False)

    assert returned is not None
    assert task.output(run_api.snapshots[0]) == returned.model_dump(mode="json")
    assert (returned.updates, returned.upstream_run) == ("pushed", UPSTREAM_RUN)
    assert returned.tools == ("fetch", "read_object")


def test_the_task_of_a_created_run_knows_what_the_run_has_used(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE)
    reopened = repository.reopen_run(
        repository.record_failure(repository.get_run(run.run_id), FAILURE, NO_USAGE, clock.now()), None
    )
    run_api.during_next("create", lambda: clock.advance(3))

    assert create(reopened, seconds=2) is None

    task = repository.get_waiting_task("resp_1")
    assert task is not None
    assert (task.run_id, task.task_token, task.upstream_run) == (run.run_id, "token", UPSTREAM_RUN)
    assert (task.limits, task.since) == (run.limits, clock.now())
    assert task.counters == Counters(seconds=5, rounds=1, tool_calls=1, tokens=USAGE.total_tokens)


def test_a_creation_that_is_tried_again_looks_at_the_run_once_and_its_record_stays_pushed(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    """The time-out of its task would be over too soon for another wait."""
    created = create(run, may_wait=False)

    assert created is not None
    assert (created.updates, repository.get_run(run.run_id).updates) == ("pushed", "pushed")
    assert (created.status, created.pause_seconds) == ("in_progress", 0)
    assert (len(run_api.polled), clock.sleeps) == (1, [])
    assert repository.get_waiting_task("resp_1") is None
    assert len(run_api.created) == 1


def test_a_run_with_little_time_left_is_polled(
    create: Create, submit: Submit, run: Run, repository: InMemoryRunRepository
) -> None:
    seconds = run.limits.seconds - MIN_SECONDS_LEFT

    assert create(run, seconds) is not None
    assert submit(run, seconds) is not None
    assert repository.get_waiting_task("resp_1") is None
    assert repository.get_waiting_task("resp_2") is None


def test_a_run_that_was_not_created_does_not_wait(
    create: Create, run: Run, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("create", TransientError("429", retry_after=7))

    created = create(run)

    assert created is not None
    assert (created.status, created.upstream_run, created.pause_seconds) == ("queued", None, 7)
    assert (run_api.polled, repository.get_run(run.run_id).updates) == ([], None)


def test_a_run_that_has_changed_at_the_first_look_is_returned(
    create: Create, run: Run, run_api: FakeRunApi
) -> None:
    run_api.snapshots = [UpstreamSnapshot(status="completed", usage=USAGE)]

    created = create(run)

    assert created is not None
    assert (created.status, created.usage, created.updates) == ("completed", USAGE, "pushed")


def test_a_look_that_failed_is_returned_with_a_pause(create: Create, run: Run, run_api: FakeRunApi) -> None:
    run_api.fail_next("poll", TransientError("503"))

    created = create(run)

    assert created is not None
    assert (created.status, created.upstream_run, created.errors.last) == (
        "in_progress",
        UPSTREAM_RUN,
        "503",
    )
    assert created.pause_seconds > 0


@pytest.mark.parametrize("updates", ["polled", "pushed"])
def test_outputs_are_followed_by_a_wait_if_the_record_says_so(
    submit: Submit, repository: InMemoryRunRepository, clock: FakeClock, updates: Updates
) -> None:
    submitted = submit(created_run(repository, updates))

    task = repository.get_waiting_task("resp_2")
    if updates == "pushed":
        assert (submitted, clock.sleeps) == (None, [])
        assert task is not None
    else:
        assert submitted is not None
        assert (submitted.status, submitted.upstream_run) == ("in_progress", NEXT_UPSTREAM_RUN)
        assert sum(clock.sleeps) == pytest.approx(WINDOW_SECONDS)
        assert task is None


def test_the_task_of_outputs_returns_what_the_function_would_have_returned(
    submit: Submit, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run = created_run(repository, "pushed")
    assert submit(run) is None
    task = repository.get_waiting_task("resp_2")
    assert task is not None
    run_api.snapshots = [UpstreamSnapshot.requires_action((CALL,), USAGE)]

    returned = submit(run, may_wait=False)

    assert returned is not None
    assert returned.upstream_run == NEXT_UPSTREAM_RUN
    assert task.output(run_api.snapshots[0]) == returned.model_dump(mode="json")


@pytest.mark.parametrize("recorded", [False, True], ids=["the first try", "recorded by an earlier try"])
def test_the_task_of_outputs_counts_the_round_once(
    submit: Submit, repository: InMemoryRunRepository, clock: FakeClock, recorded: bool
) -> None:
    run = created_run(repository, "pushed")
    if recorded:
        repository.record_round(repository.get_run(run.run_id), NEXT_UPSTREAM_RUN, [ANSWER], USAGE)

    assert submit(run, seconds=30) is None

    task = repository.get_waiting_task("resp_2")
    assert task is not None
    assert (task.upstream_run, task.since) == (NEXT_UPSTREAM_RUN, clock.now())
    assert task.counters == Counters(seconds=30, rounds=1, tool_calls=1, tokens=USAGE.total_tokens)


def test_a_submission_that_is_tried_again_looks_at_the_run_once(
    submit: Submit, repository: InMemoryRunRepository, run_api: FakeRunApi, clock: FakeClock
) -> None:
    submitted = submit(created_run(repository, "pushed"), may_wait=False)

    assert submitted is not None
    assert (submitted.status, submitted.pause_seconds) == ("in_progress", 0)
    assert (len(run_api.polled), clock.sleeps) == (1, [])
    assert repository.get_waiting_task("resp_2") is None


def test_outputs_that_were_not_submitted_are_not_followed_by_a_wait(
    submit: Submit, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("submit", TransientError("429", retry_after=3))

    submitted = submit(created_run(repository, "pushed"))

    assert submitted is not None
    assert (submitted.status, submitted.pause_seconds) == ("requires_action", 3)
    assert (submitted.still_running, submitted.upstream_run) == (False, UPSTREAM_RUN)
    assert run_api.polled == []


def test_outputs_that_can_no_longer_be_submitted_end_a_run_that_goes_on_upstream(
    submit: Submit, repository: InMemoryRunRepository, run_api: FakeRunApi
) -> None:
    run_api.fail_next("submit", TransientError("503"))

    submitted = submit(created_run(repository, "pushed"), errors=UpstreamErrors(count=6, last="503"))

    assert submitted is not None
    assert submitted.failure is not None
    assert (submitted.status, submitted.failure.code) == ("failed", "upstream_error")
    assert submitted.still_running
