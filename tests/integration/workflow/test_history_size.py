"""The history of the longest run that is allowed: Step Functions keeps 25,000 events of an execution."""

from datetime import UTC, datetime
from math import ceil

from support.fakes.clock import FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.run_records import UPSTREAM_RUN, new_run
from support.runs import Runs
from support.templates import TEMPLATE

from local.openai_emulator import Call, CallTools, Say, Step
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.limits import MAX_CALLS, MAX_CALLS_PER_ROUND, Counters, Limits
from upcall.domain.upstream_run import UpstreamSnapshot
from upcall.use_cases.poll_run import poll_run

MAX_EVENTS = 25_000
"""AWS quota."""

APPROVED_CALL_EVENTS = 24
"""At most, of a call that waits for an approval and runs then. No call has more events."""
POLL_EVENTS = 7
"""Five of the task, and two of the choice after it."""
PAUSE_EVENTS = 4
"""Two of the wait, and two of the choice after it."""


def maximum(limit: str) -> int:
    (value,) = [each.le for each in Limits.model_fields[limit].metadata if hasattr(each, "le")]
    return int(value)


def calls_in_one_round(count: int) -> CallTools:
    return CallTools(tuple(Call("nothing", "{}") for _ in range(count)))


def count_events(runs: Runs, local_stack: LocalStack, rounds: int, calls: int) -> int:
    """The events of a run with so many rounds of so many calls."""
    steps: list[Step] = [calls_in_one_round(calls)] * rounds
    model = local_stack.emulator.script(*steps, Say("Done."))
    run = runs.run("Go.", model=model, limits={"rounds": 50}).run
    assert (run["status"], run["tool_calls"]) == ("completed", rounds * calls)
    return len(runs.history(run["run_id"]))


def count_poll_events(window: int, seconds: int) -> int:
    """The events of the polls and pauses of a run that never changes, as the workflow makes them."""
    clock, run_api = FakeClock(), FakeRunApi()
    run_api.snapshots = [UpstreamSnapshot(status="in_progress")]
    events, failure = 0, None
    while failure is None:
        age = clock.monotonic()
        snapshot = poll_run(
            "run_1",
            UPSTREAM_RUN,
            Limits(seconds=seconds),
            Counters(seconds=age),
            window,
            age,
            repository=InMemoryRunRepository(),
            get_run_api=run_api.get,
            clock=clock,
        )
        failure = snapshot.failure
        events += POLL_EVENTS
        if snapshot.pause_seconds:
            clock.advance(ceil(snapshot.pause_seconds))
            events += PAUSE_EVENTS
    return events


def test_the_longest_run_that_is_allowed_has_fewer_events_than_step_functions_keeps(
    runs: Runs, local_stack: LocalStack
) -> None:
    """Retries add three events each. They are rare unless transient failures are much more frequent than usual."""
    one_round = count_events(runs, local_stack, 1, 1)
    per_call = (count_events(runs, local_stack, 1, 11) - one_round) / 10
    per_round = (count_events(runs, local_stack, 6, 1) - one_round) / 5 - per_call

    parameter = TEMPLATE.source["Parameters"]["PollWindowSeconds"]
    windows = (parameter["MinValue"], 1, 2, 5, 20, parameter["MaxValue"])
    polling = max(count_poll_events(window, maximum("seconds")) for window in windows)
    longest = one_round + per_call * MAX_CALLS + per_round * maximum("rounds") + polling

    assert maximum("calls_per_round") == MAX_CALLS_PER_ROUND
    assert per_call < APPROVED_CALL_EVENTS
    assert per_round < 30
    longest += (APPROVED_CALL_EVENTS - per_call) * MAX_CALLS
    assert longest < MAX_EVENTS, f"{longest:,.0f} events"


def test_a_run_may_make_600_calls_in_all_of_its_attempts(
    runs: Runs, local_stack: LocalStack, repository: DynamoDBRunRepository
) -> None:
    model = local_stack.emulator.script(calls_in_one_round(6), Say("Never."))
    run = new_run(model=model, created_at=datetime.now(UTC), tool_calls=595)
    repository.add_run(run)

    runs.start_execution(run.run_id)
    runs.wait_for_execution(run.run_id)

    failure = repository.get_run(run.run_id).failure
    assert failure is not None
    assert failure.code == "limit_calls"
    assert failure.message == "The model asked for 6 tools after 595 calls; 600 are allowed."
