"""What executions have used, parsed from the histories of real ones."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import boto3
import pytest
from support.lambda_faults import TRANSIENT_ERROR, FaultyLambda
from support.run_records import new_run
from support.runs import EndedRun, Runs

from cli import cost
from cli.execution_history import ExecutionUsage, HistoryEvent, get_whole_history, parse_history
from local.moto_patches import integration
from local.openai_emulator import Say
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain import aws_prices as prices

UsageOf = Callable[[EndedRun], ExecutionUsage]


@pytest.fixture(scope="module")
def usage_of(local_stack: LocalStack) -> UsageOf:
    """What the execution of a run that has ended has used."""
    step_functions = boto3.client("stepfunctions")

    def parse(ended: EndedRun) -> ExecutionUsage:
        return parse_history(get_whole_history(step_functions, ended.execution["executionArn"]))

    return parse


def test_each_state_entered_is_a_transition(runs: Runs, usage_of: UsageOf) -> None:
    """Create run, Run status?, Save message."""
    assert usage_of(runs.run_script(Say("Done."))).transitions == 3


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
    arn = runs.wait_for_execution(run.run_id)["executionArn"]
    return get_whole_history(boto3.client("stepfunctions"), arn)


def test_a_retry_is_a_transition_and_an_invocation(events_after_a_crash: Sequence[HistoryEvent]) -> None:
    used = parse_history(events_after_a_crash)

    assert used.transitions == 4
    assert len([each for each in used.invocations if "SaveMessage" in each.function]) == 2


def test_the_cost_is_mostly_transitions_and_grows_with_memory_and_message(
    runs: Runs, usage_of: UsageOf, repository: DynamoDBRunRepository
) -> None:
    ended = runs.run_script(Say("Done."))
    used = usage_of(ended)
    run = repository.get_run(ended.run["run_id"])

    dollars = cost.estimate_dollars(used, {}, run, [], "Done.")
    assert 3 * prices.STATE_TRANSITION < dollars < 5 * prices.STATE_TRANSITION
    memory = {each.function: 1024 for each in used.invocations}
    assert cost.estimate_dollars(used, memory, run, [], "Done.") > dollars
    assert cost.estimate_dollars(used, {}, run, [], "x" * 5000) > dollars
