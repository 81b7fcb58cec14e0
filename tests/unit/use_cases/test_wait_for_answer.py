"""A tool call waits for an answer from outside, and nothing is lost whenever that comes."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from support.fakes.clock import START, FakeClock
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEventPublisher
from support.open_calls import REFUND, approval, output
from support.run_records import FAILURE, UPSTREAM_RUN, new_run

from upcall.domain.caller_tools import CallerTool
from upcall.domain.errors import NotFound, RunAlreadyEnded, TransientError
from upcall.domain.limits import Limits
from upcall.domain.open_calls import CallAnswered
from upcall.domain.run import Run
from upcall.domain.usage import NO_USAGE
from upcall.use_cases.wait_for_answer import wait_for_answer

LOOKUP = CallerTool(
    name="lookup",
    description="Looks up.",
    parameters={"type": "object", "properties": {}, "required": [], "additionalProperties": False},
)
DAY = timedelta(days=1)

Wait = Callable[..., CallAnswered | None]
"""Let the call of `refund` wait, with some fields changed."""


@pytest.fixture
def run(repository: InMemoryRunRepository) -> Run:
    run = repository.add_run(new_run(tools=(LOOKUP,), limits=Limits(seconds=900, answer_seconds=3600)))
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    return repository.get_run(run.run_id)


@pytest.fixture
def wait(
    run: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher, clock: FakeClock
) -> Wait:
    def call(
        name: str = "refund",
        *,
        token: str = "token 1",  # noqa: S107  # of a test
        retention: timedelta = 30 * DAY,
        **fields: Any,
    ) -> CallAnswered | None:
        return wait_for_answer(
            fields.get("run_id", run.run_id),
            token,
            round=1,
            position=fields.get("position", 1),
            call=REFUND.model_copy(update={"name": name}),
            max_output_bytes=1000,
            function_tools=("fetch", "refund"),
            retention=retention,
            repository=repository,
            publisher=publisher,
            clock=clock,
        )

    return call


def test_a_call_of_a_function_waits_for_an_approval(
    wait: Wait, run: Run, repository: InMemoryRunRepository
) -> None:
    assert wait() is None

    call = repository.get_open_call(run, "1-1")
    assert call is not None
    assert (call.waits_for, call.task_token, call.since) == ("approval", "token 1", START)
    assert call.until == START + timedelta(hours=1)
    assert repository.get_run(run.run_id).status == "requires_action"


def test_a_call_of_the_callers_tool_waits_for_its_output(
    wait: Wait, run: Run, repository: InMemoryRunRepository
) -> None:
    assert wait("lookup") is None

    assert repository.get_run(run.run_id).waiting_calls == {"output 1-1"}


def test_a_call_of_a_tool_that_does_not_exist_is_answered_at_once(
    wait: Wait, run: Run, repository: InMemoryRunRepository
) -> None:
    answered = wait("nope" * 100)

    assert answered is not None
    assert answered.output is not None
    message = json.loads(answered.output.output)["error"]
    assert message == f"There is no tool {'nope' * 25}. There is: fetch, refund, lookup."
    assert repository.list_open_calls(run) == []


@pytest.mark.parametrize(
    ("name", "event"), [("refund", "Approval Requested"), ("lookup", "Output Requested")]
)
def test_that_a_call_waits_is_published_once_and_without_its_arguments(
    wait: Wait, run: Run, publisher: InMemoryEventPublisher, name: str, event: str
) -> None:
    wait(name)
    wait(name, token="token 2")  # noqa: S106  # of a test

    (published,) = publisher.waiting_calls
    assert (published.event, published.run_id) == (event, run.run_id)
    assert "4711" not in published.model_dump_json()


def test_it_is_published_again_if_nobody_wrote_down_that_it_was(
    wait: Wait, publisher: InMemoryEventPublisher
) -> None:
    publisher.error = TransientError("the bus cannot be reached")
    with pytest.raises(TransientError):
        wait()
    publisher.error = None
    wait()

    assert len(publisher.waiting_calls) == 1


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (approval(), CallAnswered(approved_digest=REFUND.arguments_digest, waited_seconds=600)),
        (
            output(),
            CallAnswered(
                output=output().output.model_copy(update={"waited_seconds": 600}),  # type: ignore[union-attr]
                waited_seconds=600,
            ),
        ),
    ],
    ids=["approval", "output"],
)
def test_an_answer_that_the_task_has_missed_is_returned_by_the_next_look(
    wait: Wait, run: Run, repository: InMemoryRunRepository, answer: Any, expected: CallAnswered
) -> None:
    wait()
    call = repository.get_open_call(run, "1-1")
    assert call is not None
    repository.answer_call(run, call, answer)

    assert wait(token="token 2") == expected  # noqa: S106  # of a test


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("refund", "Nobody approved the call of refund in time, so it was not made."),
        ("lookup", "The call of lookup got no output in time. It may have had an effect."),
    ],
)
def test_a_call_whose_time_is_over_is_answered_with_an_error(
    wait: Wait, run: Run, repository: InMemoryRunRepository, clock: FakeClock, name: str, message: str
) -> None:
    wait(name)
    clock.sleep(3599)
    assert wait(name) is None
    clock.sleep(1)

    answered = wait(name)

    assert answered is not None
    assert answered.output is not None
    assert json.loads(answered.output.output) == {"error": message}
    assert (answered.waited_seconds, answered.approved_digest) == (3600, None)
    assert repository.get_run(run.run_id).waiting_calls == frozenset()


def test_a_call_waits_no_longer_than_its_run_is_kept(
    wait: Wait, run: Run, repository: InMemoryRunRepository
) -> None:
    wait(retention=timedelta(minutes=20))

    call = repository.get_open_call(run, "1-1")
    assert call is not None
    assert call.until == START + timedelta(minutes=5), "the run may still take 15 minutes"


def test_a_run_that_has_ended_waits_for_nothing(
    wait: Wait, run: Run, repository: InMemoryRunRepository, publisher: InMemoryEventPublisher
) -> None:
    repository.record_failure(run, FAILURE, NO_USAGE, START)

    with pytest.raises(RunAlreadyEnded):
        wait()
    assert publisher.waiting_calls == []


def test_a_run_that_does_not_exist_is_not_found(wait: Wait) -> None:
    with pytest.raises(NotFound):
        wait(run_id="run_x")
