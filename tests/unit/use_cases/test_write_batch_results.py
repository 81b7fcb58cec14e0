import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from support.batch_records import BATCH_ID, new_batch
from support.fakes.batch_files import InMemoryBatchFiles
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEventPublisher
from support.run_records import FAILURE, USAGE, new_run

from upcall.domain.batch import CANCELLED, Batch, BatchLine, LineEnd
from upcall.domain.batch_results import BatchManifest
from upcall.domain.errors import BatchStopped, NotFound
from upcall.domain.failure import Failure
from upcall.domain.run import Run
from upcall.domain.upstream_run import Message
from upcall.domain.usage import Usage
from upcall.use_cases import write_batch_results as write_batch_results_module
from upcall.use_cases.prepare_batch import prepare_batch
from upcall.use_cases.write_batch_results import ResultsProgress, ResultsWritten, write_batch_results

STOPPED = Failure(code="tolerated_failures", message="Too many.")
MANIFEST = f"{BATCH_ID}/manifest.json"


class DiedError(Exception):
    """The function's machine was lost."""


@dataclass
class Writer:
    """A batch whose lines end, and whose results are written."""

    batches: InMemoryBatchRepository
    files: InMemoryBatchFiles
    repository: InMemoryRunRepository
    publisher: InMemoryEventPublisher
    clock: FakeClock

    def add(self, lines: int, **fields: Any) -> Batch:
        """A batch in progress whose lines have the numbers 2, 4, 6 and so on."""
        batch = self.batches.add_batch(new_batch(**fields))
        self.files.objects[batch.input_key] = b'\n"Go."\n' * lines
        prepare_batch(BATCH_ID, batches=self.batches, files=self.files, clock=self.clock)
        self.files.writes.clear()
        return self.batches.get_batch(BATCH_ID)

    def start(self, number: int) -> Run:
        """Start the run of a line."""
        batch = self.batches.get_batch(BATCH_ID)
        line = BatchLine(line=number, run_id=batch.run_id(number), custom_id=f"c{number}", task_token="t")  # noqa: S106
        self.batches.claim_line(batch, line)
        run = new_run().model_copy(update={"run_id": batch.run_id(number)})
        return self.repository.add_run(run)

    def complete(self, number: int, text: str = "", end_line: bool = True) -> None:
        """Start a line and let its run complete."""
        message = Message(text=text or f"Done {number}.", usage=USAGE.model_copy(update={"usd": 0.5}))
        run = self.repository.complete_run(self.start(number), message, START)
        run = run.model_copy(update={"usage": message.usage})
        if end_line:
            self.batches.end_line(BATCH_ID, number, LineEnd.of(run), START)

    def fail(self, number: int) -> None:
        """Start a line and let its run fail."""
        run = self.repository.record_failure(self.start(number), FAILURE, Usage(), START)
        self.batches.end_line(BATCH_ID, number, LineEnd.of(run), START)

    def write(
        self,
        progress: ResultsProgress | None = None,
        failure: Failure | None = None,
        attempt: int | None = None,
    ) -> ResultsWritten:
        """Invoke the function once."""
        return write_batch_results(
            BATCH_ID,
            progress or ResultsProgress(),
            failure,
            attempt,
            batches=self.batches,
            repository=self.repository,
            files=self.files,
            publisher=self.publisher,
            clock=self.clock,
        )

    def write_all(self, failure: Failure | None = None) -> Batch:
        """Invoke the function as the workflow does, until the batch has ended."""
        written = self.write(failure=failure)
        for _ in range(100):
            if written.done:
                return self.batches.get_batch(BATCH_ID)
            self.clock.advance(written.pause_seconds)
            written = self.write(ResultsProgress.model_validate(written.progress.model_dump()), failure)
        raise AssertionError("the batch does not end")

    @property
    def manifest(self) -> BatchManifest:
        """The manifest."""
        return BatchManifest.model_validate_json(self.files.objects[MANIFEST])

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results of all parts, in the order of the manifest."""
        return [each for part in self.manifest.parts for each in self.read(part.key)]

    def read(self, key: str | None) -> list[dict[str, Any]]:
        """The objects of a file."""
        assert key is not None
        return [json.loads(line) for line in self.files.objects[key].splitlines()]


@pytest.fixture
def writer(
    batches: InMemoryBatchRepository,
    files: InMemoryBatchFiles,
    repository: InMemoryRunRepository,
    publisher: InMemoryEventPublisher,
    clock: FakeClock,
) -> Writer:
    return Writer(batches, files, repository, publisher, clock)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of three lines, which are written two and two."""
    monkeypatch.setattr(write_batch_results_module, "PART_LINES", 3)
    monkeypatch.setattr(write_batch_results_module, "CHUNK_LINES", 2)


def test_results_have_one_line_per_input_in_the_order_of_the_inputs(writer: Writer) -> None:
    writer.add(3)
    writer.complete(6, "Grüße\n😀")
    writer.fail(4)
    writer.complete(2)

    batch = writer.write_all()

    assert (batch.status, batch.parts, batch.ended_at) == ("completed", 1, START)
    first, second, third = writer.results
    assert first == {
        "line": 2,
        "custom_id": "c2",
        "run_id": batch.run_id(2),
        "status": "completed",
        "message": "Done 2.",
        "usage": USAGE.model_copy(update={"usd": 0.5}).model_dump(),
    }
    assert (second["line"], second["status"], second["failure"]["code"]) == (4, "failed", "server_error")
    assert "message" not in second
    assert (third["line"], third["message"]) == (6, "Grüße\n😀")


def test_failures_have_an_object_of_their_own(writer: Writer) -> None:
    writer.add(3)
    writer.complete(2)
    writer.fail(4)
    writer.complete(6)
    writer.write_all()

    (part,) = writer.manifest.parts
    assert (part.first_line, part.lines, part.failures) == (2, 3, 1)
    assert part.bytes == len(writer.files.objects[part.key])
    assert writer.read(part.failures_key) == [writer.results[1]]
    assert writer.files.content_types[part.key] == "application/jsonl"


def test_without_failures_there_is_no_object_with_them(writer: Writer) -> None:
    writer.add(1)
    writer.complete(2)
    writer.write_all()

    assert writer.files.writes == ["batch_1/results/00001.jsonl", MANIFEST]
    assert writer.manifest.parts[0].failures_key is None


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("lines", [1, 2, 3, 4, 6, 7])
def test_many_lines_are_in_several_objects(writer: Writer, lines: int) -> None:
    writer.add(lines)
    for number in range(2, 2 * lines + 1, 2):
        writer.complete(number)
    batch = writer.write_all()

    assert [result["line"] for result in writer.results] == list(range(2, 2 * lines + 1, 2))
    sizes = [part.lines for part in writer.manifest.parts]
    assert sizes == [3] * (lines // 3) + [lines % 3] * (lines % 3 > 0)
    assert batch.parts == len(sizes)
    assert [part.first_line for part in writer.manifest.parts] == [2, 8, 14][: len(sizes)]


def test_large_results_are_in_several_objects(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_batch_results_module, "PART_BYTES", 1000)
    monkeypatch.setattr(write_batch_results_module, "CHUNK_LINES", 1)
    writer.add(4)
    for number in (2, 4, 6, 8):
        writer.complete(number, "x" * 600)
    writer.write_all()

    assert [part.lines for part in writer.manifest.parts] == [2, 2]


@pytest.mark.usefixtures("small_parts")
def test_an_invocation_ends_when_its_time_is_over_and_the_next_one_goes_on(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.add(7)
    for number in range(2, 15, 2):
        writer.complete(number)
    write_file = writer.files.write_file

    def slowly(*arguments: Any) -> None:
        writer.clock.advance(write_batch_results_module.MAX_SECONDS)
        write_file(*arguments)

    monkeypatch.setattr(writer.files, "write_file", slowly)
    first = writer.write()
    assert (first.done, first.pause_seconds, first.status) == (False, 0, "finalizing")
    assert [part.lines for part in first.progress.parts] == [3]

    writer.write_all()

    assert [result["line"] for result in writer.results] == list(range(2, 15, 2))


def test_the_manifest_and_the_event_have_the_sums_of_the_lines(writer: Writer) -> None:
    writer.add(4, metadata={"a": "b"})
    writer.complete(2)
    writer.complete(4)
    writer.fail(6)
    batch = writer.write_all(STOPPED)

    manifest = writer.manifest
    counts = manifest.counts
    assert (manifest.lines, counts.completed, counts.failed, counts.cancelled) == (4, 2, 1, 1)
    assert sum(part.lines for part in manifest.parts) == manifest.lines == counts.ended
    for name in Usage.model_fields:
        assert getattr(counts.usage, name) == sum(result["usage"].get(name) or 0 for result in writer.results)
    (event,) = writer.publisher.batch_events
    assert (event.event, event.counts, event.metadata) == ("Batch Failed", counts, {"a": "b"})
    assert (event.ended_at, event.status, event.failure) == (batch.ended_at, batch.status, batch.failure)


def test_lines_that_were_not_started_are_in_the_results_with_the_reason(writer: Writer) -> None:
    writer.add(3)
    writer.complete(2)
    batch = writer.write_all(STOPPED)

    assert (batch.status, batch.failure) == ("failed", STOPPED)
    _, second, third = writer.results
    assert [each["line"] for each in (second, third)] == [4, 6]
    assert second["status"] == "cancelled"
    assert second["failure"] == {
        "status": "cancelled",
        "code": "not_started",
        "message": "No run was started: Too many.",
    }
    assert "run_id" not in second


def test_the_first_reason_is_that_of_the_batch(writer: Writer) -> None:
    batch = writer.add(1)
    writer.batches.stop_batch(batch, STOPPED)

    ended = writer.write_all(Failure(code="ExceedToleratedFailureThreshold", message="BatchStopped"))

    assert ended.failure == STOPPED


def test_a_batch_that_is_being_cancelled_ends_cancelled(writer: Writer) -> None:
    batch = writer.add(2)
    writer.complete(2)
    writer.batches.cancel_batch(batch, CANCELLED)

    assert writer.write_all().status == "cancelled"
    (event,) = writer.publisher.batch_events
    assert event.event == "Batch Cancelled"
    assert writer.results[1]["failure"]["message"] == "No run was started: Cancelled on request."


def test_failures_of_the_last_lines_count_for_the_tolerated_share(writer: Writer) -> None:
    """No further line was started that would have found out."""
    writer.add(2, tolerated_failures=0.25)
    writer.complete(2)
    writer.fail(4)

    batch = writer.write_all()

    assert batch.status == "failed"
    assert batch.failure == writer.manifest.failure
    assert batch.failure is not None
    assert batch.failure.message == "1 of 2 lines failed; 25.0% are tolerated."


@pytest.mark.parametrize("lines", [0, None])
def test_a_batch_without_lines_ends_with_an_empty_manifest(writer: Writer, lines: int | None) -> None:
    if lines == 0:
        writer.add(0)
    else:
        writer.batches.add_batch(new_batch())
    batch = writer.write_all(STOPPED)

    assert (batch.status, batch.parts) == ("failed", 0)
    assert (writer.manifest.lines, writer.manifest.parts) == (0, ())


def test_runs_under_way_are_waited_for(writer: Writer) -> None:
    writer.add(2)
    writer.complete(2)
    run = writer.start(4)

    first = writer.write()
    assert (first.done, first.pause_seconds, first.status) == (False, 5, "finalizing")
    second = writer.write(first.progress)
    assert (second.done, second.pause_seconds) == (False, 60)
    assert writer.files.writes == []

    writer.repository.complete_run(run, Message(text="Late.", usage=USAGE), START)
    assert writer.write(second.progress).done
    assert writer.results[1]["message"] == "Late."
    assert writer.manifest.counts.completed == 2


def test_a_run_that_ended_without_its_line_ends_the_line(writer: Writer) -> None:
    """The function that ended the run died before it ended the line."""
    writer.add(1)
    writer.complete(2, end_line=False)

    assert writer.write().done
    assert writer.results[0]["message"] == "Done 2."
    assert writer.manifest.counts.completed == 1


def test_a_line_whose_function_died_before_its_run_is_given_a_minute_and_has_failed(writer: Writer) -> None:
    batch = writer.add(1)
    writer.batches.claim_line(batch, BatchLine(line=2, run_id=batch.run_id(2)))

    first = writer.write()
    second = writer.write(first.progress)
    assert (first.done, second.done) == (False, False)
    assert writer.write(second.progress).done

    (result,) = writer.results
    assert (result["status"], result["failure"]["code"]) == ("failed", "not_started")
    assert "run_id" not in result
    assert writer.manifest.counts.failed == 1


def test_a_line_that_was_never_claimed_although_nothing_stopped_the_batch_has_failed(writer: Writer) -> None:
    """The workflow gave up after it had invoked the function repeatedly."""
    writer.add(1, tolerated_failures=0)
    batch = writer.write_all()

    assert batch.status == "failed"
    (result,) = writer.results
    assert (result["status"], result["failure"]["code"]) == ("failed", "not_started")
    assert result["failure"]["message"] == "No run was started, although it was tried repeatedly."


def test_a_line_whose_writer_died_between_its_claim_and_its_end_is_ended(writer: Writer) -> None:
    batch = writer.add(2)
    writer.complete(2)
    writer.batches.claim_line(batch, BatchLine(line=4))

    writer.write_all(STOPPED)

    assert [result["status"] for result in writer.results] == ["completed", "cancelled"]


def test_a_line_that_the_index_does_not_show_yet_is_waited_for(writer: Writer) -> None:
    """The index follows the table."""
    writer.add(2)
    writer.complete(2)
    run = writer.start(4)
    writer.batches.hidden_lines.add(4)

    waiting = writer.write()
    assert (waiting.done, waiting.pause_seconds, waiting.progress.parts) == (False, 5, ())

    writer.repository.complete_run(run, Message(text="Late.", usage=USAGE), START)
    writer.write_all()
    assert [result["status"] for result in writer.results] == ["completed", "completed"]


def test_a_line_that_is_started_between_the_look_and_the_claim_is_waited_for(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the Map stops, functions of other lines are still running. Otherwise a run would be paid for nothing."""
    writer.add(1)
    list_lines = writer.batches.list_lines
    runs: list[Run] = []

    def list_and_start(*arguments: Any) -> Iterator[BatchLine]:
        found = list_lines(*arguments)
        runs.append(writer.start(2))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(writer.batches, "list_lines", list_and_start)
        assert not writer.write(failure=STOPPED).done

    (line,) = writer.batches.list_lines(BATCH_ID, 2, 2)
    assert (line.end, line.task_token) == (None, "t")
    writer.repository.complete_run(runs[0], Message(text="Late.", usage=USAGE), START)
    writer.write_all()
    assert writer.results[0]["message"] == "Late."


def test_a_second_invocation_after_the_end_changes_nothing(writer: Writer) -> None:
    writer.add(1)
    writer.complete(2)
    writer.write_all()
    objects, writes = dict(writer.files.objects), list(writer.files.writes)

    again = writer.write(failure=STOPPED)

    assert (again.done, again.status) == (True, "completed")
    assert (writer.files.objects, writer.files.writes) == (objects, writes)
    assert len(writer.publisher.batch_events) == 1


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("failure", [None, STOPPED])
@pytest.mark.parametrize("write", range(30))
def test_a_function_that_died_at_any_write_is_repeated_with_the_same_results(
    writer: Writer, monkeypatch: pytest.MonkeyPatch, failure: Failure | None, write: int
) -> None:
    writer.add(8)
    writer.complete(2)
    writer.complete(4, end_line=False)
    writer.fail(6)
    writer.batches.claim_line(writer.batches.get_batch(BATCH_ID), BatchLine(line=10))
    left = [write]

    def dying(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise DiedError
            return method(*arguments)

        return call

    with monkeypatch.context() as patch:
        for target, names in (
            (writer.batches, ("stop_batch", "begin_results", "claim_line", "end_line", "end_batch")),
            (writer.files, ("write_file",)),
            (writer.publisher, ("publish",)),
        ):
            for name in names:
                patch.setattr(target, name, dying(getattr(target, name)))
        with suppress(DiedError):
            writer.write(failure=failure)
    batch = writer.write_all(failure)

    assert batch.status == ("failed" if failure else "completed")
    assert [result["line"] for result in writer.results] == list(range(2, 17, 2))
    counts = writer.manifest.counts
    assert counts.completed == 2
    assert (counts.failed, counts.cancelled) == ((1, 5) if failure else (6, 0))
    assert 1 <= len(writer.publisher.batch_events) <= 2
    assert len({event.model_dump_json() for event in writer.publisher.batch_events}) == 1
    assert sorted(writer.files.objects) == sorted(
        {
            "batch_1/index.csv",
            "batch_1/inputs.jsonl",
            "batch_1/request.jsonl",
            MANIFEST,
            *(f"batch_1/{kind}/0000{n}.jsonl" for kind in ("results", "failures") for n in (1, 2, 3)),
        }
    )


def test_a_batch_that_ends_elsewhere_meanwhile_keeps_its_end(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = writer.add(1)
    writer.complete(2)
    publish = writer.publisher.publish

    def end_elsewhere(event: Any) -> None:
        writer.batches.end_batch(batch, "cancelled", 0, START)
        publish(event)

    monkeypatch.setattr(writer.publisher, "publish", end_elsewhere)

    assert writer.write().status == "cancelled"


def test_a_batch_that_does_not_exist_is_not_found(writer: Writer) -> None:
    with pytest.raises(NotFound):
        writer.write()


def test_an_execution_that_was_replaced_writes_nothing(writer: Writer) -> None:
    """Otherwise one that somebody redrives would end lines that the other has not started yet."""
    batch = writer.batches.restart_batch(writer.add(2))

    with pytest.raises(BatchStopped, match="batch batch_1 has another execution"):
        writer.write(failure=STOPPED, attempt=1)

    assert writer.batches.get_batch(BATCH_ID) == batch
    assert writer.files.writes == []
    assert writer.write(attempt=2).done


def test_a_batch_whose_execution_was_stopped_ends_as_cancelled(writer: Writer) -> None:
    batch = writer.add(2)
    stopped = Failure(status="cancelled", code="execution_aborted", message="It was stopped.")
    writer.batches.cancel_batch(batch, stopped)

    ended = writer.write_all()

    assert (ended.status, ended.failure) == ("cancelled", stopped)
    assert [each["failure"]["code"] for each in writer.results] == ["not_started"] * 2
