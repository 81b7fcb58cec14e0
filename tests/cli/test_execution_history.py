"""The progress of runs, parsed from the histories of real executions."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import boto3
import pytest
from support.lambda_faults import TRANSIENT_ERROR, FaultyLambda
from support.run_records import new_run
from support.runs import EndedRun, Runs

from cli import cost
from cli.execution_history import HistoryEvent, RunProgress, get_history, parse_history
from cli.terminal.live_view import LiveView
from local.moto_patches import integration
from local.openai_emulator import Call, CallTools, Fail, FailAtFirst, Fault, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain import aws_prices as prices

from .conftest import printed_text, terminal_console

ProgressOf = Callable[[EndedRun], RunProgress]


@pytest.fixture(scope="module")
def progress_of(local_stack: LocalStack) -> ProgressOf:
    """The progress of a run that has ended."""
    step_functions = boto3.client("stepfunctions")

    def parse(ended: EndedRun) -> RunProgress:
        return parse_history(get_history(step_functions, ended.execution["executionArn"]))

    return parse


def test_states_and_calls_are_parsed_in_order(
    runs: Runs, local_stack: LocalStack, progress_of: ProgressOf
) -> None:
    call = Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides")
    progress = progress_of(runs.run_script(CallTools((call, Call("no", "{"))), Say("Done.")))

    assert [state.name for state in progress.states] == [
        "Create run",
        "Call tools",
        "Submit tool outputs",
        "Save message",
    ]
    assert all(state.ended_at and state.ended_at >= state.started_at for state in progress.states)
    assert progress.ended
    fetch, unknown = progress.states[1].calls.values()
    assert (fetch.name, fetch.outcome, unknown.name, unknown.outcome) == ("fetch", "ok", "no", "error")
    assert fetch.ended_at
    assert unknown.ended_at


def test_each_state_entered_is_a_transition(runs: Runs, progress_of: ProgressOf) -> None:
    """Create run, Run status?, Save message."""
    assert progress_of(runs.run_script(Say("Done."))).transitions == 3


@pytest.fixture
def faulty_functions(local_stack: LocalStack) -> Iterator[FaultyLambda]:
    """The functions of the stack, with faults."""
    functions = FaultyLambda(local_stack.runner)
    integration.invoke_functions_with(functions)
    yield functions
    integration.invoke_functions_with(local_stack.runner)


@pytest.fixture
def events_after_a_crash(
    runs: Runs, local_stack: LocalStack, repository: DynamoDBRunRepository, faulty_functions: FaultyLambda
) -> Sequence[HistoryEvent]:
    """The history of a run whose function Save message raises TransientError once."""
    run = new_run(model=local_stack.emulator.script(Say("Done.")), created_at=datetime.now(UTC))
    faulty_functions.plan(run.run_id, "SaveMessage", TRANSIENT_ERROR, "before")
    repository.add_run(run)
    runs.start_execution(run.run_id)
    return list(
        get_history(boto3.client("stepfunctions"), runs.wait_for_execution(run.run_id)["executionArn"])
    )


def draw(progress: RunProgress) -> str:
    """The live view of a run."""
    console = terminal_console()
    with LiveView(console) as view:
        view.update(progress)
    return printed_text(console)


def test_a_retry_is_a_transition_and_an_invocation(events_after_a_crash: Sequence[HistoryEvent]) -> None:
    progress = parse_history(events_after_a_crash)

    assert progress.transitions == 4
    assert len([each for each in progress.invocations if "SaveMessage" in each.function]) == 2


def test_a_task_that_will_be_retried_shows_its_error(events_after_a_crash: Sequence[HistoryEvent]) -> None:
    failed = next(i for i, event in enumerate(events_after_a_crash) if event["type"] == "TaskFailed")

    assert "TransientError: POST /responses: Connection refused" in draw(
        parse_history(events_after_a_crash[: failed + 1])
    )
    assert "Connection refused" not in draw(parse_history(events_after_a_crash))


@pytest.mark.parametrize(
    ("operation", "state"), [("create", "Create run"), ("submit", "Submit tool outputs")]
)
def test_an_error_of_the_server_is_shown_with_what_is_done_about_it(
    runs: Runs, operation: str, state: str
) -> None:
    fault = Fault(operation, 503, body='{"detail": "Closed for lunch."}')
    ended = runs.run_script(CallTools((Call("no", "{"),)), Say("Done."), faults=[fault])
    events = list(get_history(boto3.client("stepfunctions"), ended.execution["executionArn"]))
    waits = next(i for i, event in enumerate(events) if event["type"] == "WaitStateEntered")

    drawn = draw(parse_history(events[: waits + 1]))
    assert re.search(rf"{state}\S*  503: Closed for lunch. \(error 1, trying again in 1 s\)", drawn)
    assert parse_history(events).states[-1].error is None


def test_a_server_that_is_down_while_a_run_is_polled_is_shown_after_a_few_seconds(runs: Runs) -> None:
    faults = [Fault("poll", 503, body='{"detail": "Closed for lunch."}') for _ in range(4)]
    ended = runs.run_script(Say("Done."), faults=faults)
    events = list(get_history(boto3.client("stepfunctions"), ended.execution["executionArn"]))
    waits = next(i for i, event in enumerate(events) if event["type"] == "WaitStateEntered")

    drawn = draw(parse_history(events[: waits + 1]))
    assert re.search(r"Create run\S*  503: Closed for lunch. \(error \d, trying again in \d s\)", drawn)
    assert "Closed for lunch" not in draw(parse_history(events))


def test_a_turn_that_failed_is_shown_at_the_poll_that_found_it(runs: Runs) -> None:
    ended = runs.run_script(FailAtFirst(Fail("server_error", "Sorry."), Say("Done.")))
    events = list(get_history(boto3.client("stepfunctions"), ended.execution["executionArn"]))
    waits = next(i for i, event in enumerate(events) if event["type"] == "WaitStateEntered")

    drawn = draw(parse_history(events[: waits + 1]))
    assert re.search(r"Create run\S*  Sorry. \(error 1, trying again in 1 s\)", drawn)
    assert draw(parse_history(events)).count("Sorry") == 1


def test_the_cost_is_mostly_transitions_and_grows_with_memory_and_message(
    runs: Runs, progress_of: ProgressOf, repository: DynamoDBRunRepository
) -> None:
    ended = runs.run_script(Say("Done."))
    progress = progress_of(ended)
    run = repository.get_run(ended.run["run_id"])

    dollars = cost.estimate_dollars(progress, {}, run, [], "Done.")
    assert 3 * prices.STATE_TRANSITION < dollars < 5 * prices.STATE_TRANSITION
    memory = {each.function: 1024 for each in progress.invocations}
    assert cost.estimate_dollars(progress, memory, run, [], "Done.") > dollars
    assert cost.estimate_dollars(progress, {}, run, [], "x" * 5000) > dollars
