"""A batch: many inputs that become runs, with one budget, one end and one set of results."""

import hashlib
import json
import secrets
from datetime import datetime
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BeforeValidator, Field

from upcall.domain.errors import BatchStopped, NotFound
from upcall.domain.execution import execution_name
from upcall.domain.failure import Failure
from upcall.domain.json_document import parse_json_text
from upcall.domain.model import Model
from upcall.domain.run import Run, run_id_prefix
from upcall.domain.run_request import Metadata
from upcall.domain.status import TerminalStatus
from upcall.domain.usage import Usage

BatchStatus = Literal[
    "validating", "in_progress", "finalizing", "cancelling", "completed", "failed", "cancelled"
]
"""OpenAI's words for its batches. While it is `validating` its lines are counted, while it is `finalizing`
the results are written."""

InputFormat = Literal["jsonl", "csv"]

TERMINAL_BATCH_STATUSES: Final = ("completed", "failed", "cancelled")

CANCELLED: Final = Failure(status="cancelled", code="cancelled", message="Cancelled on request.")


class BatchCounts(Model):
    """How many of a batch's lines have ended, and what their runs have used.

    `failed` counts those without a message: runs that failed, and lines that no run could be started from.
    """

    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    usage: Usage = Usage()

    @property
    def ended(self) -> int:
        """Lines that have ended."""
        return self.completed + self.failed + self.cancelled


class Batch(Model):
    """The record of a batch.

    `input_key` is the object with the inputs, `input_format` its form, `prompt_template` the prompt that the
    fields of a line are put into, `defaults` the fields of each run that its line does not name. `lines` is
    the number of inputs, once they are counted. `failure` says why a batch ended early. `parts` is the number
    of objects that its results are in. `attempt` counts its executions.
    """

    batch_id: str
    status: BatchStatus
    owner: str
    started_by: str | None = None
    input_key: str
    input_format: InputFormat
    prompt_template: str | None = None
    defaults: Annotated[dict[str, Any], BeforeValidator(parse_json_text)] = Field(default_factory=dict)
    concurrency: int
    tolerated_failures: float = 1
    budget_usd: float | None = None
    metadata: Metadata = Field(default_factory=dict)
    fingerprint: str = ""
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    lines: int | None = None
    failure: Failure | None = None
    parts: int = 0
    attempt: int = 1

    @property
    def ended(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL_BATCH_STATUSES

    @property
    def list_key(self) -> str:
        """Its place in lists of batches, which sorts by time. Ids of idempotency keys do not."""
        return f"{list_key_prefix(self.created_at)}-{self.batch_id}"

    @property
    def execution_name(self) -> str:
        """The name of its execution."""
        return execution_name(self.batch_id, self.attempt)

    @property
    def folder(self) -> str:
        """The prefix of its objects in the bucket."""
        return f"{self.batch_id}/"

    @property
    def inputs_key(self) -> str:
        """The object with a copy of the inputs, one JSON value after the other."""
        return f"{self.folder}inputs.jsonl"

    @property
    def index_key(self) -> str:
        """The object that says where each line lies in the copy: CSV, with the columns of LineSource."""
        return f"{self.folder}index.csv"

    @property
    def manifest_key(self) -> str:
        """The object that says how the batch ended, and which objects have its results."""
        return f"{self.folder}manifest.json"

    def run_id(self, line: int) -> str:
        """The id of the run of a line. Whoever starts the line again finds the same run."""
        digest = hashlib.sha256(f"{self.batch_id}#{line}".encode()).hexdigest()
        return f"{run_id_prefix(self.created_at)}{digest[:16]}"

    def check_attempt(self, attempt: int) -> None:
        """Raise BatchStopped if the execution of that attempt was replaced by another."""
        if attempt < self.attempt:
            raise BatchStopped(f"batch {self.batch_id} has another execution")

    def stop_reason(self, counts: BatchCounts) -> Failure | None:
        """Why no further line is to be started; None if there is no reason."""
        if self.failure is not None:
            return self.failure
        if self.status == "cancelling":
            return CANCELLED
        if self.budget_usd is not None:
            if counts.usage.usd is None:
                message = "The runs use a model without a known price, so the budget cannot be kept."
                return Failure(code="no_price", message=message)
            if counts.usage.usd >= self.budget_usd:
                message = (
                    f"The runs have cost {counts.usage.usd:.4f} $; the budget is {self.budget_usd:.4f} $."
                )
                return Failure(code="budget_usd", message=message)
        return self.too_many_failures(counts)

    def too_many_failures(self, counts: BatchCounts) -> Failure | None:
        """Why more lines failed than are tolerated; None if they are not more."""
        if not self.lines or counts.failed / self.lines <= self.tolerated_failures:
            return None
        message = (
            f"{counts.failed} of {self.lines} lines failed; {self.tolerated_failures:.1%} are tolerated."
        )
        return Failure(code="tolerated_failures", message=message)


class BatchPage(Model):
    """A page of batches with their counts. `next_cursor` leads to the next page, if there is one."""

    batches: tuple[tuple[Batch, BatchCounts], ...]
    next_cursor: str | None = None


class LineSource(Model):
    """Where a line's input lies in the copy of the inputs: its number, and the bytes of its JSON.

    `error` says why the line could not be read.
    """

    line: Annotated[int, Field(ge=1)]
    offset: Annotated[int, Field(ge=0)]
    length: Annotated[int, Field(ge=0)]
    error: str = ""


class LineEnd(Model):
    """How a line ended: as its run did, or without one."""

    run_id: str | None = None
    status: TerminalStatus
    failure: Failure | None = None
    usage: Usage = Usage()

    @classmethod
    def of(cls, run: Run) -> Self:
        """The end of a line whose run has ended."""
        return cls.model_validate(run.model_dump(include=set(cls.model_fields)))


class BatchLine(Model):
    """A line that was started: its run, and how it ended, once it has.

    A line without a run is one that no run is started for. `task_token` completes the task that waits for the
    end of the line.
    """

    line: int
    run_id: str | None = None
    custom_id: str | None = None
    task_token: str = ""
    end: LineEnd | None = None


class BatchEndedEvent(Model):
    """How a batch ended. `results_folder` is the prefix of its results in the bucket for batches."""

    event: Literal["Batch Completed", "Batch Failed", "Batch Cancelled"]
    batch_id: str
    status: BatchStatus
    owner: str
    metadata: Metadata
    lines: int
    counts: BatchCounts
    created_at: datetime
    ended_at: datetime | None
    failure: Failure | None
    results_folder: str

    @classmethod
    def of(cls, batch: Batch, counts: BatchCounts) -> Self:
        """The event of a batch that has ended."""
        return cls.model_validate(
            {
                **batch.model_dump(include=set(cls.model_fields)),
                "event": _DETAIL_TYPES[batch.status],
                "lines": batch.lines or 0,
                "counts": counts,
                "results_folder": batch.folder,
            }
        )


_DETAIL_TYPES: Final = {
    "completed": "Batch Completed",
    "failed": "Batch Failed",
    "cancelled": "Batch Cancelled",
}


def list_key_prefix(created_at: datetime) -> str:
    """What the list keys of batches of that millisecond begin with: 12 hexadecimal digits."""
    return f"{int(created_at.timestamp() * 1000):012x}"


def new_batch_id(created_at: datetime) -> str:
    """`batch_` and 28 hexadecimal digits: 12 for the millisecond of creation, 16 random ones."""
    return f"batch_{list_key_prefix(created_at)}{secrets.token_hex(8)}"


def batch_id_of_key(owner: str, key: str) -> str:
    """The id of the batch that an idempotency key of this owner stands for."""
    return f"batch_{hashlib.sha256(json.dumps([owner, key]).encode()).hexdigest()[:28]}"


def no_such_batch(batch_id: str) -> NotFound:
    """The error for a batch that does not exist. A batch of another caller gets the same error."""
    return NotFound(f"there is no batch {batch_id!r}")
