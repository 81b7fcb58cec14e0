"""The history of the longest run that is allowed: Step Functions keeps 25,000 events of an execution."""

from datetime import UTC, datetime
from math import ceil

from support.run_records import new_run
from support.runs import Runs
from support.templates import TEMPLATE

from local.openai_emulator import Call, CallTools, Say, Step
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.limits import MAX_CALLS, MAX_CALLS_PER_ROUND, Limits

MAX_EVENTS = 10_000
POLL_EVENTS = 7
"""Five of the task, and two of the choice after it."""
PAUSE_EVENTS = 2


def maximum(limit: str) -> int:
    (value,) = [each.le for each in Limits.model_fields[limit].metadata if hasattr(each, "le")]
    return int(value)


def calls_in_one_round(count: int) -> CallTools:
    return CallTools(tuple(Call("nothing", "{}") for _ in range(count)))


def count_events(runs: Runs, local_stack: LocalStack, rounds: int, calls: int) -> int:
    """The events of a run with so many rounds of so many calls, without polls that found no change."""
    steps: list[Step] = [calls_in_one_round(calls)] * rounds
    model = local_stack.emulator.script(*steps, Say("Done."))
    run = runs.run("Go.", model=model, limits={"rounds": 50}).run
    assert (run["status"], run["tool_calls"]) == ("completed", rounds * calls)
    polls = runs.entered_states(run["run_id"]).count("Poll run")
    return len(runs.history(run["run_id"])) - POLL_EVENTS * (polls - rounds - 1)


def count_poll_events(window: int, seconds: int) -> int:
    """The events of the polls and pauses of a run that never changes, as the workflow makes them."""
    events, age = 0, 0.0
    while age < seconds:
        age += window
        events += POLL_EVENTS
        requested = 0 if window else 2
        if requested or age > 600:
            age += ceil(max(requested, age / 60 if age > 600 else 0))
            events += PAUSE_EVENTS
    return events


def test_the_workflow_pauses_as_the_calculation_does() -> None:
    assert "$states.input.pause_seconds > 0 or $millis()" in TEMPLATE.definition
    assert "+ 600000 %}" in TEMPLATE.definition
    assert "/ 60000" in TEMPLATE.definition


def test_the_longest_run_that_is_allowed_has_less_than_10_000_events(
    runs: Runs, local_stack: LocalStack
) -> None:
    """Retries add three events each. They are rare unless transient failures are much more frequent than usual."""
    one_round = count_events(runs, local_stack, 1, 1)
    per_call = (count_events(runs, local_stack, 1, 11) - one_round) / 10
    per_round = (count_events(runs, local_stack, 6, 1) - one_round) / 5 - per_call

    windows = TEMPLATE.source["Parameters"]["PollWindowSeconds"]["AllowedValues"]
    polling = max(count_poll_events(window, maximum("seconds")) for window in windows)
    longest = one_round + per_call * MAX_CALLS + per_round * maximum("rounds") + polling

    assert maximum("calls_per_round") == MAX_CALLS_PER_ROUND
    assert per_call < 10
    assert per_round < 30
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
