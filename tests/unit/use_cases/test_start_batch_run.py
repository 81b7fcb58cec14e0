from dataclasses import dataclass, field
from typing import Any

import pytest
from support.batch_records import BATCH_ID, COMPLETED, line_sources, new_batch
from support.batch_repository_contract import TOKEN
from support.fakes.batch_files import InMemoryBatchFiles
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import FAILURE, UPSTREAM_RUN, USAGE

from upcall.domain.batch import CANCELLED, Batch, BatchLine, LineEnd, LineSource
from upcall.domain.caller import Caller
from upcall.domain.errors import BatchStopped, NotFound, TransientError
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.domain.usage import Usage
from upcall.use_cases.start_batch_run import LineEnded, start_batch_run
from upcall.use_cases.start_run import RunDefaults, start_run


@dataclass
class Starter:
    """Starts runs of lines; `lines` are the inputs."""

    batches: InMemoryBatchRepository
    files: InMemoryBatchFiles
    repository: InMemoryRunRepository
    workflow: InMemoryWorkflow
    run_api: FakeRunApi
    clock: FakeClock
    sources: list[LineSource] = field(default_factory=list)
    one_tenant: bool = False
    error: Exception | None = None

    def add(self, *lines: Any, **fields: Any) -> Batch:
        """A batch that is in progress."""
        values = {"status": "in_progress", "lines": len(lines), **fields}
        batch = self.batches.add_batch(new_batch(**values))
        self.files.objects[batch.inputs_key], self.sources = line_sources(lines)
        return batch

    def start(self, number: int = 1, token: str = TOKEN, attempt: int = 1) -> LineEnded | None:
        """Start the run of a line."""
        return start_batch_run(
            BATCH_ID,
            attempt,
            self.sources[number - 1],
            token,
            one_tenant=self.one_tenant,
            batches=self.batches,
            files=self.files,
            workflow=self.workflow,
            start_run=self._start_run,
        )

    def line(self, number: int = 1) -> BatchLine:
        """A line that was started."""
        (line,) = self.batches.list_lines(BATCH_ID, number, number)
        return line

    def run(self, number: int = 1) -> Run:
        """The run of a line."""
        return self.repository.get_run(new_batch().run_id(number))

    def _start_run(self, request: RunRequest, caller: Caller, batch: Batch, line: int) -> Run:
        if self.error is not None:
            raise self.error
        return start_run(
            request,
            caller,
            batch_line=(batch, line),
            defaults=RunDefaults("m", "responses"),
            repository=self.repository,
            get_run_api=self.run_api.get,
            workflow=self.workflow,
            check_callback_url=lambda _: None,
            clock=self.clock,
        )


@pytest.fixture
def starter(
    batches: InMemoryBatchRepository,
    files: InMemoryBatchFiles,
    repository: InMemoryRunRepository,
    workflow: InMemoryWorkflow,
    run_api: FakeRunApi,
    clock: FakeClock,
) -> Starter:
    return Starter(batches, files, repository, workflow, run_api, clock)


def failure_of(line: BatchLine) -> Failure:
    assert line.end is not None
    assert line.end.failure is not None
    return line.end.failure


def test_a_line_becomes_a_run_whose_end_is_waited_for(starter: Starter) -> None:
    starter.add("one", {"prompt": "two", "custom_id": "b"}, defaults={"temperature": 0.5}, started_by="Ann")

    assert starter.start(2) is None

    run = starter.run(2)
    assert (run.prompt, run.temperature, run.owner, run.started_by) == ("two", 0.5, "ann", "Ann")
    assert (run.batch_id, run.batch_line, run.callback_url) == (BATCH_ID, 2, None)
    assert list(starter.workflow.executions) == [run.run_id]
    assert starter.line(2) == BatchLine(line=2, run_id=run.run_id, custom_id="b", task_token=TOKEN)


def test_a_line_that_is_started_again_has_one_run_and_the_newest_token(starter: Starter) -> None:
    starter.add("one")
    starter.start()

    assert starter.start(token="second") is None  # noqa: S106

    assert len(starter.workflow.executions) == 1
    assert starter.line().task_token == "second"  # noqa: S105


def test_an_execution_that_was_replaced_starts_no_run_and_takes_no_token(starter: Starter) -> None:
    """It may still be trying a line when the next execution does: then the end of the run would complete nothing."""
    batch = starter.add("one", "two")
    starter.start(token="first")  # noqa: S106
    starter.batches.restart_batch(batch)
    starter.start(token="second", attempt=2)  # noqa: S106

    for number in (1, 2):
        with pytest.raises(BatchStopped):
            starter.start(number, token="late", attempt=1)  # noqa: S106

    assert starter.line().task_token == "second"  # noqa: S105
    assert len(starter.workflow.executions) == 1
    assert starter.batches.get_batch(BATCH_ID).failure is None


def test_a_template_makes_the_prompt(starter: Starter) -> None:
    starter.add({"city": "Oslo"}, prompt_template="Name {{ city }}.")
    starter.start()

    assert starter.run().prompt == "Name Oslo."


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "line: is not JSON: Expecting property name enclosed in double quotes"),
        (b'{"custom_id": "a", "prompt": ""}', "prompt: must not be empty"),
        (b'{"custom_id": "a", "prompt": "x", "colour": 1}', "colour: Extra inputs are not permitted"),
        (b'{"custom_id": "a", "prompt": "x", "assistant": "nobody"}', "assistant: "),
        (
            b'{"custom_id": "a", "prompt": "x", "previous_run_id": "run_x"}',
            "previous_run_id: there is no run 'run_x'",
        ),
    ],
)
def test_a_line_that_no_run_can_be_started_from_has_failed(
    starter: Starter, line: bytes, message: str
) -> None:
    starter.add(line)

    assert starter.start() == LineEnded()
    assert starter.start() == LineEnded()

    failure = failure_of(starter.line())
    assert failure.code == "invalid_line"
    assert failure.message.startswith(message)
    assert starter.line().custom_id == ("a" if b"custom_id" in line else None)
    assert starter.line().end == LineEnd(status="failed", failure=failure), "it names no run"
    assert starter.batches.get_counts(BATCH_ID).failed == 1
    assert starter.workflow.executions == {}


def test_a_line_that_could_not_be_copied_has_failed_with_that_reason(starter: Starter) -> None:
    starter.add("one")
    starter.sources = [LineSource(line=7, offset=0, length=0, error="has 1 fields; the header has 2")]

    assert starter.start() == LineEnded()
    assert failure_of(starter.line(7)).message == "line: has 1 fields; the header has 2"


def test_a_line_of_another_owner_s_run_cannot_be_continued(starter: Starter) -> None:
    other = starter.repository.add_run(
        Run.new(
            created_at=START,
            owner="bob",
            prompt="Go.",
            assistant="summarizer",
            model="m",
            run_api="responses",
        )
    )
    starter.add({"prompt": "x", "previous_run_id": other.run_id})

    starter.start()

    assert failure_of(starter.line()).message == f"previous_run_id: there is no run {other.run_id!r}"


def test_a_run_that_ended_before_its_line_did_ends_the_line(starter: Starter) -> None:
    """The function that ended the run died before it ended the line."""
    starter.add("one")
    starter.start()
    ended = starter.repository.record_failure(starter.run(), FAILURE, USAGE, START)

    assert starter.start() == LineEnded()
    assert starter.line().end == LineEnd.of(ended)


def test_a_line_that_has_ended_is_not_started_again(starter: Starter) -> None:
    starter.add("one")
    starter.start()
    starter.batches.end_line(BATCH_ID, 1, COMPLETED, START)
    starter.error = AssertionError("it was started again")

    assert starter.start(token="second") == LineEnded()  # noqa: S106


def test_a_line_that_was_ended_without_a_run_is_not_started(starter: Starter) -> None:
    batch = starter.add("one")
    starter.batches.claim_line(batch, BatchLine(line=1))

    assert starter.start() == LineEnded()
    assert starter.workflow.executions == {}
    with pytest.raises(NotFound):
        starter.run()


@pytest.mark.parametrize("created", [False, True])
def test_a_run_whose_execution_is_lost_gets_another_one(starter: Starter, created: bool) -> None:
    """The local stack was restarted: records outlive executions."""
    starter.add("one")
    starter.start()
    if created:
        starter.repository.record_creation(starter.run(), UPSTREAM_RUN, "polled")
    starter.workflow.executions.clear()

    assert starter.start() is None
    assert list(starter.workflow.executions) == [starter.run().run_id]


def test_a_function_that_died_after_its_claim_starts_the_run_when_it_is_repeated(starter: Starter) -> None:
    starter.add("one")
    starter.error = TransientError("throttled")
    with pytest.raises(TransientError):
        starter.start()
    assert starter.line().run_id == new_batch().run_id(1)
    starter.error = None

    assert starter.start() is None
    assert starter.run().prompt == "one"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"status": "cancelling"}, "cancelled"),
        ({"failure": Failure(code="Lambda.Unknown", message="Lost.")}, "Lambda.Unknown"),
        ({"budget_usd": 0.25}, "budget_usd"),
        ({"tolerated_failures": 0}, "tolerated_failures"),
    ],
)
def test_a_batch_with_a_reason_to_stop_starts_no_further_line(
    starter: Starter, fields: Any, code: str
) -> None:
    batch = starter.add("one", "two", "three", **fields)
    for number, end in ((2, COMPLETED), (3, LineEnd(status="failed"))):
        starter.batches.claim_line(batch, BatchLine(line=number))
        starter.batches.end_line(BATCH_ID, number, end, START)

    for _ in range(2):
        with pytest.raises(BatchStopped):
            starter.start()

    failure = starter.batches.get_batch(BATCH_ID).failure
    assert failure is not None
    assert failure.code == code
    assert list(starter.batches.list_lines(BATCH_ID, 1, 1)) == []


def test_a_batch_whose_model_has_no_price_stops_after_the_first_runs(starter: Starter) -> None:
    batch = starter.add("one", "two", budget_usd=1)
    assert starter.start(1) is None
    starter.batches.claim_line(batch, BatchLine(line=1))
    end = LineEnd(status="completed", usage=Usage(total_tokens=5))
    starter.batches.end_line(BATCH_ID, 1, end, START)

    with pytest.raises(BatchStopped):
        starter.start(2)
    failure = starter.batches.get_batch(BATCH_ID).failure
    assert failure is not None
    assert failure.code == "no_price"


def test_a_batch_that_was_cancelled_keeps_its_reason(starter: Starter) -> None:
    batch = starter.add("one")
    starter.batches.cancel_batch(batch, CANCELLED)

    with pytest.raises(BatchStopped):
        starter.start()
    assert starter.batches.get_batch(BATCH_ID).failure == CANCELLED


def test_a_batch_that_does_not_exist_is_not_found(starter: Starter) -> None:
    starter.sources = [LineSource(line=1, offset=0, length=1)]
    with pytest.raises(NotFound):
        starter.start()
