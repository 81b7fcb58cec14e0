"""A run: our durable unit. One prompt in, one final message out."""

import json
import re
import secrets
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field

from upcall.domain.caller_tools import CallerTool
from upcall.domain.completion_window import CompletionWindow
from upcall.domain.execution import execution_name
from upcall.domain.failure import Failure
from upcall.domain.json_document import parse_json_text
from upcall.domain.limits import Limits
from upcall.domain.model import Model
from upcall.domain.quota import Counted, Settled, settlement_of
from upcall.domain.run_log import Log
from upcall.domain.run_request import InputItem, Metadata, Reasoning, ResponseFormat
from upcall.domain.status import TERMINAL_STATUSES, Status
from upcall.domain.upstream_run import RunApiName, UpstreamRun
from upcall.domain.usage import Usage

AFTER_ALL_RUNS = "run_~"
"""Sorts after the id of every run."""

Updates = Literal["polled", "pushed"]
"""How a run learns that it has changed upstream: it asks again and again, or OpenAI's webhook tells it."""


def _parse_log(value: Any) -> Any:
    """The entries of a log, which a record has as JSON text each."""
    return tuple(json.loads(each) if isinstance(each, str) else each for each in value)


class Run(Model):
    """The record of a run.

    `owner` is the caller who started it, `started_by` the person, if the authorizer tells. It has a
    `prompt` or an `input`, as the caller sent it. `previous_upstream_run` is the conversation that it
    continues, `intent` what it is about to be created with, `upstream_run` where it lives now, `updates`
    how it learns of changes there. With `stream`, the text is recorded as the model writes it. `tools`
    are those of its caller, `waiting_calls` the entries of the calls that wait for an answer from
    outside. `tool_ms` is how long its tools took, one after the other, `waited_seconds` how long rounds
    waited for answers from outside. `event_published` is set once its final event is published. `attempt`
    counts its executions, which come one after the other. `batch_id` and `batch_line` are the batch and
    the line of its inputs that the run was started for. `log` is what happened to the run,
    `requested_round` the last round that the model asked for, `pauses` how many of them are in the log.
    `traceparent` is the header of the request that started it, if its caller traces it. `counted` says
    where its start counts, if its caller has a quota, `settled` what was counted at the end of the last
    attempt that was settled.
    """

    run_id: str
    status: Status
    owner: str
    started_by: str | None = None
    prompt: str | None = None
    input: tuple[InputItem, ...] | None = None
    assistant: str
    model: str
    run_api: RunApiName
    previous_run_id: str | None = None
    response_format: Annotated[ResponseFormat | None, BeforeValidator(parse_json_text)] = None
    instructions: str | None = None
    temperature: Annotated[float | None, BeforeValidator(parse_json_text)] = None
    max_output_tokens: int | None = None
    reasoning: Reasoning | None = None
    completion_window: CompletionWindow | None = None
    stream: bool = False
    callback_url: str | None = None
    tools: Annotated[tuple[CallerTool, ...], BeforeValidator(parse_json_text)] = ()
    limits: Limits = Limits()
    metadata: Metadata = Field(default_factory=dict)
    previous_upstream_run: UpstreamRun | None = None
    intent: UpstreamRun | None = None
    upstream_run: UpstreamRun | None = None
    updates: Updates | None = None
    waiting_calls: frozenset[str] = frozenset()
    round: int = 0
    tool_calls: int = 0
    tool_ms: int = 0
    waited_seconds: int = 0
    usage: Usage = Usage()
    created_at: datetime
    ended_at: datetime | None = None
    failure: Failure | None = None
    message_parts: int = 0
    event_published: bool = False
    attempt: int = 1
    batch_id: str | None = None
    batch_line: int | None = None
    log: Annotated[Log, BeforeValidator(_parse_log)] = ()
    requested_round: int = 0
    pauses: int = 0
    traceparent: str | None = None
    counted: Counted | None = None
    settled: Settled | None = None

    @classmethod
    def new(cls, *, created_at: datetime, previous: "Run | None" = None, **fields: Any) -> Self:
        """A queued run with the fields that were requested. Its id sorts by the time of creation."""
        return cls(
            run_id=new_run_id(created_at),
            status="queued",
            previous_run_id=previous.run_id if previous else None,
            previous_upstream_run=previous.upstream_run if previous else None,
            created_at=created_at,
            **fields,
        )

    @property
    def items(self) -> tuple[InputItem, ...]:
        """The input; a prompt is one item of the user."""
        return self.input or (InputItem(role="user", content=self.prompt or ""),)

    @property
    def execution_name(self) -> str:
        """The name of its execution."""
        return execution_name(self.run_id, self.attempt)

    @property
    def last_input(self) -> str:
        """The text that the run answers: the prompt, or the last item of the input."""
        return self.items[-1].content

    @property
    def unsettled(self) -> Settled | None:
        """What is to be counted for the attempt that has ended; None if it was, or if nothing counts it."""
        if self.counted is None or (self.settled is not None and self.settled.attempt >= self.attempt):
            return None
        return settlement_of(self.attempt, self.usage)

    @property
    def ended(self) -> bool:
        """Whether the status is terminal."""
        return self.status in TERMINAL_STATUSES


def is_run_id(text: str) -> bool:
    """Whether a text has the form of a run's id."""
    return re.fullmatch("run_[0-9a-f]{28}", text) is not None


def new_run_id(created_at: datetime) -> str:
    """`run_` and 28 hexadecimal digits: 12 for the millisecond of creation, 16 random ones."""
    return f"{run_id_prefix(created_at)}{secrets.token_hex(8)}"


def run_id_prefix(created_at: datetime) -> str:
    """What the ids of all runs of a millisecond begin with. It sorts before the ids of later runs."""
    return f"run_{int(created_at.timestamp() * 1000):012x}"
