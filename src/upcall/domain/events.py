"""The events of a run, as they go to the event bus and to the run's callback."""

from datetime import datetime
from typing import Literal, Self

from upcall.domain.aws_cost import estimate_aws_usd
from upcall.domain.failure import Failure
from upcall.domain.json_size import json_bytes, longest_prefix
from upcall.domain.model import Model
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.domain.run_request import Metadata
from upcall.domain.status import TerminalStatus
from upcall.domain.usage import Usage

MAX_EXCERPT_CHARACTERS = 4000
MAX_EXCERPT_BYTES = 16_384
"""Of a message in an event, counted as JSON. An event bus takes entries of 1 MB, a workflow's state less."""


class RunEndedEvent(Model):
    """How a run ended.

    `message_excerpt` is the beginning of the message, `message_characters` the length of the whole.
    """

    event: Literal["Run Completed", "Run Failed", "Run Cancelled"]
    run_id: str
    status: TerminalStatus
    owner: str
    assistant: str
    metadata: Metadata
    round: int
    tool_calls: int
    usage: Usage
    aws_usd: float | None = None
    created_at: datetime
    ended_at: datetime | None = None
    failure: Failure | None = None
    message_excerpt: str | None = None
    message_characters: int = 0
    has_callback: bool = False

    @classmethod
    def of(cls, run: Run, message: str | None = None) -> Self:
        """The final event of a run that has ended, with its message, if it has one."""
        fields = run.model_dump(include=set(cls.model_fields))
        fields["aws_usd"] = estimate_aws_usd(run)
        fields["event"] = _DETAIL_TYPES.get(run.status, "Run Failed")
        if message is not None:
            fields["message_excerpt"] = longest_prefix(message, _is_short, MAX_EXCERPT_CHARACTERS)
            fields["message_characters"] = len(message)
        return cls.model_validate({**fields, "has_callback": run.callback_url is not None})


class CallWaitsEvent(Model):
    """A tool call waits for an answer from outside. Its arguments are not in it: the API shows them.

    `call` is the id of the call, `tool` the name of the tool that the model calls.
    """

    event: Literal["Approval Requested", "Output Requested"]
    run_id: str
    call: str
    tool: str
    owner: str
    assistant: str
    metadata: Metadata
    since: datetime
    until: datetime
    has_callback: bool = False

    @classmethod
    def of(cls, run: Run, open_call: OpenCall) -> Self:
        """The event of a call that waits."""
        return cls(
            event="Approval Requested" if open_call.waits_for == "approval" else "Output Requested",
            run_id=run.run_id,
            call=open_call.id,
            tool=open_call.call.name,
            owner=run.owner,
            assistant=run.assistant,
            metadata=run.metadata,
            since=open_call.since,
            until=open_call.until,
            has_callback=run.callback_url is not None,
        )


RunEvent = RunEndedEvent | CallWaitsEvent

_DETAIL_TYPES = {"completed": "Run Completed", "cancelled": "Run Cancelled"}


def _is_short(text: str) -> bool:
    return json_bytes(text) <= MAX_EXCERPT_BYTES
