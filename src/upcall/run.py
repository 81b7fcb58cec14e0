"""A run: our durable unit, from the request to the ending. One prompt in, one final message out."""

import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import AfterValidator, Field, StringConstraints

from upcall.assistants import Limits, LimitsRequest
from upcall.models import (
    END_STATUSES,
    EndStatus,
    Failure,
    Handle,
    LedgerEntry,
    Model,
    RunApiName,
    Status,
    Usage,
)

MAX_PROMPT_BYTES = 100 * 1024
"""A prompt is at most 100 KB of UTF-8: it stays in one DynamoDB item (400 KB) with room to spare."""


def _speaks(prompt: str) -> str:
    if not prompt.strip():
        raise ValueError("must not be empty")
    try:
        size = len(prompt.encode())
    except UnicodeEncodeError:
        raise ValueError("must be Unicode text; it holds half of a surrogate pair") from None
    if size > MAX_PROMPT_BYTES:
        raise ValueError(f"must be at most {MAX_PROMPT_BYTES:,} bytes of UTF-8, not {size:,}")
    return prompt


MetadataKey = Annotated[str, StringConstraints(min_length=1, max_length=64)]
MetadataValue = Annotated[str, StringConstraints(max_length=512)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=16)]
"""The caller's own words about a run, in the measure that OpenAI has for it."""


class RunRequest(Model):
    """What a caller sends to start a run."""

    prompt: Annotated[
        str,
        AfterValidator(_speaks),
        Field(min_length=1, description="What to do. At most 100 KB of UTF-8."),
    ]
    assistant: Annotated[str, Field(description="Who does it: a name of GET /assistants.")] | None = None
    model: (
        Annotated[str, Field(min_length=1, max_length=200, description="The model that thinks.")] | None
    ) = None
    run_api: RunApiName | None = None
    previous_run_id: (
        Annotated[str, Field(max_length=80, description="A completed run whose conversation goes on.")] | None
    ) = None
    limits: LimitsRequest = LimitsRequest()
    metadata: Metadata = Field(default_factory=dict)


class Run(Model):
    """Our durable unit: one prompt in, one final message out."""

    run_id: str
    status: Status
    prompt: str
    assistant: str
    model: str
    run_api: RunApiName
    previous_run_id: str | None = None
    limits: Limits = Limits()
    metadata: Metadata = Field(default_factory=dict)
    previous: Handle | None = None
    intent: Handle | None = None
    handle: Handle | None = None
    round: int = 0
    tool_calls: int = 0
    usage: Usage = Usage()
    created_at: datetime
    ended_at: datetime | None = None
    failure: Failure | None = None
    message_parts: int = 0

    @classmethod
    def new(
        cls,
        *,
        prompt: str,
        assistant: str,
        model: str,
        run_api: RunApiName,
        limits: Limits = Limits(),  # noqa: B008  # frozen
        metadata: Metadata | None = None,
        previous: "Run | None" = None,
    ) -> Self:
        """A run that has just been asked for. Its id sorts by time of creation."""
        return cls(
            run_id=new_run_id(),
            status="queued",
            prompt=prompt,
            assistant=assistant,
            model=model,
            run_api=run_api,
            limits=limits,
            metadata=metadata or {},
            previous_run_id=previous.run_id if previous else None,
            previous=previous.handle if previous else None,
            created_at=datetime.now(UTC),
        )

    @property
    def ended(self) -> bool:
        """Whether the status is terminal."""
        return self.status in END_STATUSES


class RunSummary(Model):
    """A run as a list shows it: without prompt, ids and message."""

    run_id: str
    status: Status
    excerpt: str
    assistant: str
    model: str
    round: int
    created_at: datetime
    ended_at: datetime | None = None


class RunList(Model):
    """A part of the list of runs, newest first; `next_cursor` leads to the next, if there is one."""

    runs: tuple[RunSummary, ...]
    next_cursor: str | None = None


class CallList(Model):
    """A part of a run's ledger; `next_cursor` leads to the next, if there is one."""

    calls: tuple[LedgerEntry, ...]
    next_cursor: str | None = None


class RunView(Run):
    """A run as its caller sees it: the record without ids upstream, and the message."""

    message: str | None = None
    handle: Annotated[None, Field(exclude=True)] = None
    previous: Annotated[None, Field(exclude=True)] = None
    intent: Annotated[None, Field(exclude=True)] = None
    message_parts: Annotated[int, Field(exclude=True)] = 0

    @classmethod
    def of(cls, run: Run, message: str | None) -> Self:
        """The view of a run with its message, if it has one."""
        shown = run.model_dump(exclude={"handle", "previous", "intent"})
        return cls.model_validate({**shown, "message": message})


class Ending(Model):
    """How a run ended: what the workflow announces."""

    run_id: str
    status: EndStatus
    round: int
    usage: Usage
    failure: Failure | None = None

    @classmethod
    def of(cls, run: Run) -> Self:
        """The ending of a run that has ended."""
        return cls.model_validate(run.model_dump(include=set(cls.model_fields)))


def new_run_id() -> str:
    """`run_` and 28 hexadecimal digits: 12 of the millisecond, 16 at random."""
    return f"run_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
