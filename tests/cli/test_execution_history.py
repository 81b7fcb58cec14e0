"""The progress of runs, parsed from the histories of real executions."""

from collections.abc import Callable

import boto3
import pytest
from support.runs import EndedRun, Runs

from cli import cost
from cli.execution_history import RunProgress, get_history, parse_history
from cli.terminal.live_view import LiveView
from local.openai_emulator import Call, CallTools, Fault, Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository

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
        "Poll run",
        "Call tools",
        "Submit tool outputs",
        "Poll run",
        "Save message",
        "Publish event",
    ]
    assert all(state.ended_at and state.ended_at >= state.started_at for state in progress.states)
    assert progress.ended
    fetch, unknown = progress.states[2].calls.values()
    assert (fetch.name, fetch.outcome, unknown.name, unknown.outcome) == ("fetch", "ok", "no", "error")
    assert fetch.ended_at
    assert unknown.ended_at


def test_each_state_entered_is_a_transition(runs: Runs, progress_of: ProgressOf) -> None:
    """Create, Created?, Poll, Run status?, Save, Publish, Completed?, Done."""
    assert progress_of(runs.run_script(Say("Done."))).transitions == 8


def test_a_retry_is_a_transition_and_an_invocation(runs: Runs, progress_of: ProgressOf) -> None:
    progress = progress_of(runs.run_script(Say("Done."), faults=[Fault("create", 500)]))

    assert progress.transitions == 9
    assert len([each for each in progress.invocations if "CreateRun" in each.function]) == 2


def test_a_task_that_will_be_retried_shows_its_error(runs: Runs) -> None:
    ended = runs.run_script(Say("Done."), faults=[Fault("poll", 503, body='{"detail": "Closed for lunch."}')])
    events = list(get_history(boto3.client("stepfunctions"), ended.execution["executionArn"]))
    failed = next(i for i, event in enumerate(events) if event["type"] == "TaskFailed")

    def draw(progress: RunProgress) -> str:
        console = terminal_console()
        with LiveView(console) as view:
            view.update(progress)
        return printed_text(console)

    assert "TransientError: 503: Service Unavailable" in draw(parse_history(events[: failed + 1]))
    assert "Closed for lunch" not in draw(parse_history(events))


def test_the_cost_is_mostly_transitions_and_grows_with_memory_and_message(
    runs: Runs, progress_of: ProgressOf, repository: DynamoDBRunRepository
) -> None:
    ended = runs.run_script(Say("Done."))
    progress = progress_of(ended)
    run = repository.get_run(ended.run["run_id"])

    dollars = cost.estimate_dollars(progress, {}, run, [], "Done.")
    assert 8 * cost.STATE_TRANSITION < dollars < 10 * cost.STATE_TRANSITION
    memory = {each.function: 1024 for each in progress.invocations}
    assert cost.estimate_dollars(progress, memory, run, [], "Done.") > dollars
    assert cost.estimate_dollars(progress, {}, run, [], "x" * 5000) > dollars
