"""Write the results of a batch into the bucket, in the order of its inputs, and end it.

An invocation writes as many parts as it has time for. The workflow passes on which those are.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO, Final

from upcall.domain.batch import (
    Batch,
    BatchEndedEvent,
    BatchLine,
    BatchStatus,
    LineEnd,
    LineSource,
)
from upcall.domain.batch_results import (
    BatchManifest,
    LineResult,
    PartSize,
    ResultPart,
    failures_key,
    results_key,
)
from upcall.domain.errors import NotFound
from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.observability.logging import logger
from upcall.threads import map_in_threads
from upcall.use_cases.interfaces import BatchFiles, BatchRepository, Clock, EventPublisher, RunRepository

MAX_SECONDS: Final = 480.0
"""Of one invocation, until it begins another part. The function's time-out is 900 s."""

PART_LINES: Final = 5000
PART_BYTES: Final = 16_000_000
CHUNK_LINES: Final = 500
THREADS: Final = 16

PAUSE_SECONDS: Final = 60
"""Between two looks at runs under way, from the second on. No function that starts a run takes as long."""

FIRST_PAUSE_SECONDS: Final = 5

NOT_STARTED: Final = Failure(
    code="not_started", message="No run was started, although it was tried repeatedly."
)


class ResultsProgress(Model):
    """The parts that were written, where the rest of the index begins, and how often runs were waited for."""

    parts: tuple[PartSize, ...] = ()
    position: int = 0
    pauses: int = 0


class ResultsWritten(Model):
    """The progress. The batch has ended if it is `done`; otherwise the rest follows after `pause_seconds`."""

    done: bool
    pause_seconds: int
    status: BatchStatus
    progress: ResultsProgress


def write_batch_results(
    batch_id: str,
    progress: ResultsProgress,
    failure: Failure | None = None,
    attempt: int | None = None,
    *,
    batches: BatchRepository,
    repository: RunRepository,
    files: BatchFiles,
    publisher: EventPublisher,
    clock: Clock,
) -> ResultsWritten:
    """Write the results of lines that have ended; wait for runs under way. Then end the batch.

    A line that was not started is a failure. `failure` is an error for which the workflow stopped to start
    runs; the first reason holds. `attempt` is that of the execution. Raises BatchStopped if the batch has
    another one by now, NotFound for the batch, TransientError.
    """
    batch = batches.get_batch(batch_id)
    if attempt is not None:
        batch.check_attempt(attempt)
    if failure is not None:
        batch = batches.stop_batch(batch, failure)
    batch = batches.begin_results(batch)
    if batch.ended:
        return ResultsWritten(done=True, pause_seconds=0, status=batch.status, progress=progress)
    lines = list(batches.list_open_lines(batch_id))
    if _end_lines(batch, lines, progress.pauses, batches, repository):
        return _wait(batch, progress)
    end = clock.monotonic() + MAX_SECONDS
    writer = _PartWriter(batch, batches, repository, files)
    complete = not batch.lines
    while not complete and clock.monotonic() < end:
        try:
            progress, complete = writer.write_part(progress)
        except _RunsUnderWay:
            return _wait(batch, progress)
    if not complete:
        return ResultsWritten(done=False, pause_seconds=0, status=batch.status, progress=progress)
    batch = _end(batch, progress, batches, files, publisher, clock)
    return ResultsWritten(done=True, pause_seconds=0, status=batch.status, progress=ResultsProgress())


class _RunsUnderWay(Exception):
    """Lines have not ended. An index that is behind did not show them, or they were started since then."""


def _wait(batch: Batch, progress: ResultsProgress) -> ResultsWritten:
    pause = PAUSE_SECONDS if progress.pauses else FIRST_PAUSE_SECONDS
    waiting = progress.model_copy(update={"pauses": progress.pauses + 1})
    return ResultsWritten(done=False, pause_seconds=pause, status=batch.status, progress=waiting)


def _end_lines(
    batch: Batch,
    lines: Iterable[BatchLine],
    pauses: int,
    batches: BatchRepository,
    repository: RunRepository,
) -> bool:
    """End lines whose runs have ended, and those that no run is started for. Returns whether others are left.

    From the second pause on a run that does not exist will not be started: its function has died.
    """
    under_way = False
    for line in lines:
        try:
            run = None if line.run_id is None else repository.get_run(line.run_id)
        except NotFound:
            if pauses < 2:
                under_way = True
                continue
            run = None
        if run is None:
            batches.end_line(batch.batch_id, line.line, _not_started(batch), batch.created_at)
        elif run.ended:
            batches.end_line(batch.batch_id, line.line, LineEnd.of(run), batch.created_at)
        else:
            under_way = True
    return under_way


class _PartWriter:
    def __init__(
        self, batch: Batch, batches: BatchRepository, repository: RunRepository, files: BatchFiles
    ) -> None:
        self._batch = batch
        self._batches = batches
        self._repository = repository
        self._files = files

    def write_part(self, progress: ResultsProgress) -> tuple[ResultsProgress, bool]:
        """Write the next part. Returns the progress, and whether it was the last one."""
        results, failures = io.BytesIO(), io.BytesIO()
        first_line = lines = failed = 0
        position = progress.position
        complete = False
        with self._files.open_file(self._batch.index_key, position) as index:
            rows = _read_index(index, position)
            while lines < PART_LINES and results.tell() < PART_BYTES:
                chunk = list(islice(rows, min(CHUNK_LINES, PART_LINES - lines)))
                if not chunk:
                    complete = True
                    break
                for result in self._results([source for source, _ in chunk], progress.pauses):
                    text = f"{result.model_dump_json(exclude_none=True)}\n".encode()
                    results.write(text)
                    if result.status != "completed":
                        failures.write(text)
                        failed += 1
                first_line = first_line or chunk[0][0].line
                lines += len(chunk)
                position = chunk[-1][1]
        parts = progress.parts
        if lines:
            number = len(parts) + 1
            content = results.getvalue()
            self._files.write_file(results_key(self._batch, number), content, "application/jsonl")
            if failed:
                self._files.write_file(
                    failures_key(self._batch, number), failures.getvalue(), "application/jsonl"
                )
            size = PartSize(first_line=first_line, lines=lines, bytes=len(content), failures=failed)
            parts = (*parts, size)
        return ResultsProgress(parts=parts, position=position), complete

    def _results(self, sources: Sequence[LineSource], pauses: int) -> Iterator[LineResult]:
        def list_lines() -> Iterator[BatchLine]:
            return self._batches.list_lines(self._batch.batch_id, sources[0].line, sources[-1].line)

        started = {line.line: line for line in list_lines()}
        if open_lines := [line for line in started.values() if line.end is None]:
            if _end_lines(self._batch, open_lines, pauses, self._batches, self._repository):
                raise _RunsUnderWay
            started = {line.line: line for line in list_lines()}

        def result(source: LineSource) -> LineResult:
            return self._result(started.get(source.line) or self._end_line_without_run(source))

        return map_in_threads(result, sources, THREADS)

    def _result(self, line: BatchLine) -> LineResult:
        if line.end is None or line.end.status != "completed" or line.run_id is None:
            return LineResult.of(line, None)
        return LineResult.of(line, self._repository.get_message(self._repository.get_run(line.run_id)))

    def _end_line_without_run(self, source: LineSource) -> BatchLine:
        """End a line that was not started. From now on no run is started for it."""
        line = self._batches.claim_line(self._batch, BatchLine(line=source.line))
        if line.end is not None:
            return line
        if line.run_id is not None:
            raise _RunsUnderWay
        return self._batches.end_line(
            self._batch.batch_id, source.line, _not_started(self._batch), self._batch.created_at
        )


def _not_started(batch: Batch) -> LineEnd:
    """The end of a line without a run: the batch was stopped before it, or starting it failed."""
    if batch.failure is None:
        return LineEnd(status="failed", failure=NOT_STARTED)
    message = f"No run was started: {batch.failure.message}"
    failure = Failure(status="cancelled", code="not_started", message=message)
    return LineEnd(status="cancelled", failure=failure)


def _read_index(index: BinaryIO, position: int) -> Iterator[tuple[LineSource, int]]:
    """The lines of an index from a position on, each with the position after it."""
    for row in index:
        position += len(row)
        line, offset, length, error = next(csv.reader([row.decode()]))
        if line != "line":
            yield LineSource(line=int(line), offset=int(offset), length=int(length), error=error), position


def _end(
    batch: Batch,
    progress: ResultsProgress,
    batches: BatchRepository,
    files: BatchFiles,
    publisher: EventPublisher,
    clock: Clock,
) -> Batch:
    counts = batches.get_counts(batch.batch_id)
    if too_many := batch.too_many_failures(counts):  # the last lines may have been these
        batch = batches.stop_batch(batch, too_many)
    now = clock.now()
    status: BatchStatus = "failed" if batch.failure else "completed"
    if batch.failure is not None and batch.failure.status == "cancelled":
        status = "cancelled"
    manifest = BatchManifest(
        batch_id=batch.batch_id,
        status=status,
        failure=batch.failure,
        lines=batch.lines or 0,
        counts=counts,
        created_at=batch.created_at,
        parts=tuple(
            ResultPart.of(batch, number, size) for number, size in enumerate(progress.parts, start=1)
        ),
    )
    content = manifest.model_dump_json(indent=2, exclude_none=True).encode()
    files.write_file(batch.manifest_key, content, "application/json")
    ended = batch.model_copy(update={"status": status, "parts": len(progress.parts), "ended_at": now})
    publisher.publish(BatchEndedEvent.of(ended, counts))
    logger.info("batch ended", batch_id=batch.batch_id, status=status)
    return batches.end_batch(batch, status, len(progress.parts), now)
