"""The results of a batch: a JSON object per line of its inputs, in their order, in objects of a bucket."""

from datetime import datetime

from upcall.domain.batch import Batch, BatchCounts, BatchLine, BatchStatus
from upcall.domain.failure import Failure
from upcall.domain.model import Model
from upcall.domain.status import TerminalStatus
from upcall.domain.usage import Usage


class LineResult(Model):
    """What became of a line. Without `run_id` no run was started for it."""

    line: int
    custom_id: str | None = None
    run_id: str | None = None
    status: TerminalStatus
    message: str | None = None
    failure: Failure | None = None
    usage: Usage | None = None

    @classmethod
    def of(cls, line: BatchLine, message: str | None) -> "LineResult":
        """The result of a line that has ended."""
        if line.end is None:
            raise ValueError(f"line {line.line} has not ended")
        return cls(
            line=line.line,
            custom_id=line.custom_id,
            run_id=line.end.run_id,
            status=line.end.status,
            message=message,
            failure=line.end.failure,
            usage=line.end.usage,
        )


class PartSize(Model):
    """How much an object with results has: lines of the inputs from `first_line` on, in order."""

    first_line: int
    lines: int
    bytes: int
    failures: int


class ResultPart(PartSize):
    """An object with results, and one with those of its lines that have no message, if there are some."""

    key: str
    failures_key: str | None = None

    @classmethod
    def of(cls, batch: Batch, number: int, size: PartSize) -> "ResultPart":
        """The part of that number, from 1 on."""
        return cls(
            key=results_key(batch, number),
            failures_key=failures_key(batch, number) if size.failures else None,
            **size.model_dump(),
        )


class BatchManifest(Model):
    """How a batch ended, and which objects have its results."""

    batch_id: str
    status: BatchStatus
    failure: Failure | None = None
    lines: int
    counts: BatchCounts
    created_at: datetime
    parts: tuple[ResultPart, ...]


def results_key(batch: Batch, number: int) -> str:
    """The object with that part of the results."""
    return f"{batch.folder}results/{number:05}.jsonl"


def failures_key(batch: Batch, number: int) -> str:
    """The object with the lines of that part that have no message."""
    return f"{batch.folder}failures/{number:05}.jsonl"
