"""What Upcall talks about: run, status, tool call, tool output, usage, message.

The statuses are the Assistants API's words; each run API is translated into them in its own module.
All models are frozen and refuse fields that they do not know.
"""

import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from upcall.jsontext import json_bytes

Status = Literal[
    "queued",
    "in_progress",
    "requires_action",
    "cancelling",
    "cancelled",
    "failed",
    "completed",
    "incomplete",
    "expired",
]
EndStatus = Literal["cancelled", "failed", "completed", "incomplete", "expired"]
FailureStatus = Literal["cancelled", "failed", "incomplete", "expired"]
END_STATUSES: tuple[EndStatus, ...] = ("cancelled", "failed", "completed", "incomplete", "expired")
OPEN_STATUSES: tuple[Status, ...] = ("queued", "in_progress", "requires_action", "cancelling")

MAX_PROMPT_BYTES = 100 * 1024
"""A prompt is at most 100 KB of UTF-8: it stays in one DynamoDB item (400 KB) with room to spare."""

MAX_STATE_BYTES = 262_144
"""Input, output and variables of a Step Functions state (AWS quota)."""


class Model(BaseModel):
    """Base of all models: frozen, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Usage(Model):
    """Tokens, as the run API counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_tokens=self.total_tokens + other.total_tokens,
        )


class Handle(Model):
    """Where a run lives upstream: the run API's name and that API's own ids. Opaque to the workflow."""

    run_api: str
    ids: Mapping[str, str]


class ToolDefinition(Model):
    """A tool as the model gets to know it; `parameters` is a strict JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


class ToolCall(Model):
    """What the model asks for. `arguments` is the model's own text: JSON if all goes well."""

    call_id: str
    name: str
    arguments: str


class ToolOutput(Model):
    """What the model reads in answer to a call: a tool's output, or an error in words."""

    call_id: str
    outcome: Literal["ok", "error"]
    output: str
    started_at: datetime | None = None
    duration_ms: int = 0


class LedgerEntry(Model):
    """A tool call and its output, as the ledger keeps them."""

    round: int
    call: ToolCall
    output: ToolOutput


class Failure(Model):
    """Why a run ended without a message."""

    status: FailureStatus = "failed"
    code: str
    message: str


class Message(Model):
    """The final text of a run, with the tokens that its last turn used."""

    text: str
    usage: Usage = Usage()


class Snapshot(Model):
    """How a run stands upstream at one moment, in our words.

    `tool_calls` and `max_output_bytes` are set with `requires_action`, `failure` with a status that
    ends the run without a message. `usage` counts what this turn used and no earlier snapshot told.
    `pause_seconds` is how long the workflow should wait before it asks again.
    """

    status: Status
    tool_calls: tuple[ToolCall, ...] = ()
    max_output_bytes: int = 0
    usage: Usage = Usage()
    failure: Failure | None = None
    pause_seconds: float = 0

    @classmethod
    def requires_action(cls, tool_calls: tuple[ToolCall, ...], usage: Usage) -> Self:
        """The model waits for `tool_calls`; each output may take its share of the workflow's state."""
        return cls(
            status="requires_action",
            tool_calls=tool_calls,
            max_output_bytes=share_of_state(tool_calls),
            usage=usage,
        )

    @classmethod
    def failed(cls, failure: Failure, usage: Usage) -> Self:
        """The run ended upstream without a message."""
        return cls(status=failure.status, failure=failure, usage=usage)


def share_of_state(tool_calls: tuple[ToolCall, ...]) -> int:
    """Bytes of JSON text that each output of a round may take.

    Calls and outputs of a round travel together through the state, which holds 262,144 bytes:
    what the calls leave of it, less 1,024 bytes an output for its own fields and 16 KB for the
    rest, is shared out evenly.
    """
    calls = sum(json_bytes(call.model_dump_json()) for call in tool_calls)
    left = MAX_STATE_BYTES - 16_384 - calls - 1024 * len(tool_calls)
    return max(left // len(tool_calls), 1024)


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


class RunRequest(Model):
    """What a caller sends to start a run."""

    prompt: Annotated[str, AfterValidator(_speaks)]
    assistant: str = "summarizer"
    model: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class Run(Model):
    """Our durable unit: one prompt in, one final message out."""

    run_id: str
    status: Status
    prompt: str
    assistant: str
    model: str
    run_api: str
    handle: Handle | None = None
    round: int = 0
    tool_calls: int = 0
    usage: Usage = Usage()
    created_at: datetime
    ended_at: datetime | None = None
    failure: Failure | None = None
    message_parts: int = 0

    @classmethod
    def new(cls, *, prompt: str, assistant: str, model: str, run_api: str) -> Self:
        """A run that has just been asked for. Its id sorts by time of creation."""
        return cls(
            run_id=new_run_id(),
            status="queued",
            prompt=prompt,
            assistant=assistant,
            model=model,
            run_api=run_api,
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


class RunView(Run):
    """A run as its caller sees it: the record without ids upstream, and the message."""

    message: str | None = None
    handle: Annotated[None, Field(exclude=True)] = None
    message_parts: Annotated[int, Field(exclude=True)] = 0

    @classmethod
    def of(cls, run: Run, message: str | None) -> Self:
        """The view of a run with its message, if it has one."""
        return cls.model_validate({**run.model_dump(exclude={"handle"}), "message": message})


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
