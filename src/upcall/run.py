"""A run: our durable unit, from the request to the ending. One prompt in, one final message out."""

import json
import re
import secrets
import time
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from upcall.assistants import Limits
from upcall.jsontext import json_bytes, longest_prefix
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
from upcall.run_request import InputItem, Metadata, ResponseFormat

MAX_EXCERPT_CHARACTERS = 4000
MAX_EXCERPT_BYTES = 16_384
"""Of a message in an announcement, counted as JSON: a bus takes events of 1 MB, a state less."""


def _unpacked(value: Any) -> Any:
    """The store keeps a response format as JSON text: a schema holds what no item can, such as floats."""
    return json.loads(value) if isinstance(value, str) else value


class Run(Model):
    """Our durable unit: one prompt in, one final message out.

    `owner` is the caller who asked for it. It has a `prompt` or an `input`, as its caller gave it.
    `announced` is set where its ending was announced otherwise than by the workflow. `attempt` counts the
    executions that it was given, one after the other.
    """

    run_id: str
    status: Status
    owner: str = ""
    prompt: str | None = None
    input: tuple[InputItem, ...] | None = None
    assistant: str
    model: str
    run_api: RunApiName
    previous_run_id: str | None = None
    response_format: Annotated[ResponseFormat | None, BeforeValidator(_unpacked)] = None
    callback_url: str | None = None
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
    announced: bool = False
    attempt: int = 1

    @classmethod
    def new(cls, *, previous: "Run | None" = None, **asked: Any) -> Self:
        """A run that has just been asked for, with the fields that were asked. Its id sorts by time."""
        return cls(
            run_id=new_run_id(),
            status="queued",
            previous_run_id=previous.run_id if previous else None,
            previous=previous.handle if previous else None,
            created_at=datetime.now(UTC),
            **asked,
        )

    @property
    def items(self) -> tuple[InputItem, ...]:
        """What the caller says, a prompt being one item of the user."""
        return self.input or (InputItem(role="user", content=self.prompt or ""),)

    @property
    def execution(self) -> str:
        """The name of its execution: the run's id, and from the second attempt on its number."""
        return self.run_id if self.attempt == 1 else f"{self.run_id}-{self.attempt}"

    @property
    def asked(self) -> str:
        """What the caller wants: the prompt, or the last item of the input."""
        return self.items[-1].content

    @property
    def ended(self) -> bool:
        """Whether the status is terminal."""
        return self.status in END_STATUSES


class RunSummary(Model):
    """A run as a list shows it: the begin of its prompt, without ids and message."""

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
    announced: Annotated[bool, Field(exclude=True)] = False

    @classmethod
    def of(cls, run: Run, message: str | None) -> Self:
        """The view of a run with its message, if it has one."""
        shown = run.model_dump(exclude={"handle", "previous", "intent"})
        return cls.model_validate({**shown, "message": message})


class Ending(Model):
    """How a run ended, as it is announced: to the bus, and to the run's own callback.

    `message_excerpt` is the begin of the message, of which `message_characters` tells the length.
    """

    event: Literal["Run Completed", "Run Failed", "Run Cancelled"]
    run_id: str
    status: EndStatus
    owner: str
    assistant: str
    metadata: Metadata
    round: int
    tool_calls: int
    usage: Usage
    created_at: datetime
    ended_at: datetime | None = None
    failure: Failure | None = None
    message_excerpt: str | None = None
    message_characters: int = 0
    has_callback: bool = False

    @classmethod
    def of(cls, run: Run, message: str | None = None) -> Self:
        """The ending of a run that has ended, with its message, if it has one."""
        told = run.model_dump(include=set(cls.model_fields))
        told["event"] = _EVENTS.get(run.status, "Run Failed")
        if message is not None:
            told["message_excerpt"] = longest_prefix(message, _is_short, MAX_EXCERPT_CHARACTERS)
            told["message_characters"] = len(message)
        return cls.model_validate({**told, "has_callback": run.callback_url is not None})


_EVENTS = {"completed": "Run Completed", "cancelled": "Run Cancelled"}


def _is_short(text: str) -> bool:
    return json_bytes(text) <= MAX_EXCERPT_BYTES


def is_run_id(text: str) -> bool:
    """Whether a text looks like one of our ids."""
    return re.fullmatch("run_[0-9a-f]{28}", text) is not None


def new_run_id() -> str:
    """`run_` and 28 hexadecimal digits: 12 of the millisecond, 16 at random."""
    return f"run_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(8)}"
