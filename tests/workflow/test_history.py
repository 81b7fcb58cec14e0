"""How long the history of the longest run that is allowed can get: Step Functions keeps 25,000 events."""

import json
from datetime import UTC, datetime
from math import ceil

import boto3
from support.execution_history import events
from support.runs import Runs

from local.config import ROOT
from local.openai_emulator import (
    Call,
    CallTools,
    Say,
    Step,
)
from local.stack import LocalStack
from local.template import Template
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.caller import ANYBODY
from upcall.domain.limits import MAX_CALLS_PER_ROUND, Limits
from upcall.domain.run import Run

MOST_EVENTS = 10_000
MOST_CALLS = 600
POLL = 7
"""Events of one poll: the task's five and two of the choice after it."""
PAUSE = 2

DEFINITION = Template(ROOT).definition


def maximum(limit: str) -> int:
    (most,) = [each.le for each in Limits.model_fields[limit].metadata if hasattr(each, "le")]
    return int(most)


def length(runs: Runs, laptop: LocalStack, rounds: int, calls: int) -> int:
    """Events of a run with so many rounds of so many calls, without those of polls that saw nothing new."""
    steps: list[Step] = [CallTools(tuple(Call("nothing", "{}") for _ in range(calls))) for _ in range(rounds)]
    model = laptop.emulator.brain.script(*steps, Say("Done."))
    run = runs.run("Go.", model=model, limits={"rounds": 50}).run
    assert (run["status"], run["tool_calls"]) == ("completed", rounds * calls)
    found = events(laptop, run["run_id"])
    looks: int = sum(each.get("stateEnteredEventDetails", {}).get("name") == "Poll run" for each in found)
    return len(found) - POLL * (looks - rounds - 1)


def polls(window: int, seconds: int) -> int:
    """Events of polls and pauses of a run that never changes, as `Run status?` and `Pause` have it."""
    count, age = 0, 0.0
    while age < seconds:
        age += window
        count += POLL
        asked = 0 if window else 2
        if asked or age > 600:
            age += ceil(max(asked, age / 60 if age > 600 else 0))
            count += PAUSE
    return count


def test_the_simulation_pauses_as_the_workflow_does() -> None:
    assert "$states.input.pause_seconds > 0 or $millis()" in DEFINITION
    assert "+ 600000 %}" in DEFINITION
    assert "/ 60000" in DEFINITION
    assert f"> {MOST_CALLS} %}}" in DEFINITION


def test_the_longest_run_that_is_allowed_has_less_than_10_000_events(runs: Runs, laptop: LocalStack) -> None:
    """Retries come on top, each three events; they are few where the weather is not worse than usual."""
    one = length(runs, laptop, 1, 1)
    of_a_call = (length(runs, laptop, 1, 11) - one) / 10
    of_a_round = (length(runs, laptop, 6, 1) - one) / 5 - of_a_call

    windows = Template(ROOT).source["Parameters"]["PollWindowSeconds"]["AllowedValues"]
    watching = max(polls(window, maximum("seconds")) for window in windows)
    longest = one + of_a_call * MOST_CALLS + of_a_round * maximum("rounds") + watching

    assert maximum("calls_per_round") == MAX_CALLS_PER_ROUND
    assert of_a_call < 10
    assert of_a_round < 30
    assert longest < MOST_EVENTS, f"{longest:,.0f} events"


def test_a_run_that_has_made_600_calls_makes_no_more(runs: Runs, laptop: LocalStack) -> None:
    """As one that is tried again may have."""
    model = laptop.emulator.brain.script(
        CallTools(tuple(Call("nothing", "{}") for _ in range(6))), Say("Never.")
    )
    new = Run.new(
        owner=ANYBODY,
        prompt="Go.",
        assistant="summarizer",
        model=model,
        run_api="responses",
        created_at=datetime.now(UTC),
    )
    store = DynamoDBRunRepository(Table(laptop.stack.dynamodb, laptop.stack.table), 30)
    store.add_run(new.model_copy(update={"tool_calls": MOST_CALLS - 5}))

    boto3.client("stepfunctions").start_execution(
        stateMachineArn=laptop.stack.state_machine, name=new.run_id, input=json.dumps({"run_id": new.run_id})
    )
    runs.ended_execution(new.run_id)

    failure = store.get_run(new.run_id).failure
    assert failure is not None
    assert failure.code == "limit_calls"
    assert failure.message == "The model asked for 6 tools after 595 calls; 600 are allowed."
