"""What callers see of runs: one run, a list of runs, a list of tool calls."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from upcall.domain.aws_cost import estimate_aws_usd
from upcall.domain.json_size import json_bytes
from upcall.domain.model import Model
from upcall.domain.open_calls import OpenCall, WaitsFor
from upcall.domain.run import Run
from upcall.domain.run_log import Log
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry

MAX_MESSAGE_BYTES = 4_000_000
"""Of the message in the view of a run, counted as JSON in JSON. A Lambda's response holds 6 MB of that.
 Prompt, instructions, schema and tools, which are in the view as well, have at most 296 KB. They may take
seven times as much in it."""

MAX_CALLS_BYTES = 4_000_000
"""Of the calls in a page of a ledger, counted likewise. The last one may exceed it."""

MAX_PAGE_SIZE = 100
"""Runs or tool calls in one page of a list."""


class OpenCallView(Model):
    """A call that waits: for an approval of exactly these arguments, or for its output.

    `id` identifies it in its run. An output may take `max_output_bytes` as a JSON string. A call that is not
    answered by the time `until` is answered with an error.
    """

    id: str
    waits_for: WaitsFor
    call_id: str
    name: str
    arguments: str
    arguments_digest: str
    max_output_bytes: int
    since: datetime
    until: datetime

    @classmethod
    def of(cls, open_call: OpenCall) -> Self:
        """The view of a call."""
        fields = open_call.model_dump(include={"waits_for", "max_output_bytes", "since", "until"})
        call = open_call.call
        digest = call.arguments_digest
        return cls(id=open_call.id, arguments_digest=digest, **call.model_dump(), **fields)


class RunView(Run):
    """A run as its caller sees it: the record without upstream ids, with the calls that wait and the message.

    A message of more than MAX_MESSAGE_BYTES is not in it. `message_url` is the path of its pages. `aws_usd`
    is what the run has cost on AWS, as an estimate.
    """

    message: str | None = None
    message_url: str | None = None
    aws_usd: float | None = None
    open_calls: tuple[OpenCallView, ...] = ()
    previous_upstream_run: Annotated[None, Field(exclude=True)] = None
    intent: Annotated[None, Field(exclude=True)] = None
    upstream_run: Annotated[None, Field(exclude=True)] = None
    waiting_calls: Annotated[frozenset[str], Field(exclude=True)] = frozenset()
    message_parts: Annotated[int, Field(exclude=True)] = 0
    event_published: Annotated[bool, Field(exclude=True)] = False
    log: Annotated[Log, Field(exclude=True)] = ()
    requested_round: Annotated[int, Field(exclude=True)] = 0
    pauses: Annotated[int, Field(exclude=True)] = 0

    @classmethod
    def of(cls, run: Run, message: str | None, open_calls: Iterable[OpenCall] = ()) -> Self:
        """The view of a run with the calls that wait, and with its message if it has one."""
        shown = run.model_dump(exclude={"previous_upstream_run", "intent", "upstream_run", "log"})
        shown["aws_usd"] = estimate_aws_usd(run)
        shown["open_calls"] = [OpenCallView.of(call) for call in open_calls]
        if message is not None and json_bytes(json.dumps(message, ensure_ascii=False)) > MAX_MESSAGE_BYTES:
            return cls.model_validate({**shown, "message_url": f"/runs/{run.run_id}/message"})
        return cls.model_validate({**shown, "message": message})


class MessagePage(Model):
    """A part of a run's message. `next_cursor` leads to the next part, if there is one."""

    text: str
    next_cursor: str | None = None


class RunSummary(Model):
    """A run in a list: the beginning of its prompt, without upstream ids and message."""

    run_id: str
    status: Status
    excerpt: str
    assistant: str
    model: str
    round: int
    created_at: datetime
    ended_at: datetime | None = None


class RunList(Model):
    """A page of the list of runs, newest first. `next_cursor` leads to the next page, if there is one."""

    runs: tuple[RunSummary, ...]
    next_cursor: str | None = None


class CallList(Model):
    """A page of a run's ledger. `next_cursor` leads to the next page, if there is one."""

    calls: tuple[LedgerEntry, ...]
    next_cursor: str | None = None
