"""What callers see of runs: one run, a list of runs, a list of tool calls."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field

from upcall.domain.model import Model
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry

MAX_PAGE_SIZE = 100
"""Runs or tool calls in one page of a list."""


class RunView(Run):
    """A run as its caller sees it: the record without upstream ids, with the message."""

    message: str | None = None
    previous_upstream_run: Annotated[None, Field(exclude=True)] = None
    intent: Annotated[None, Field(exclude=True)] = None
    upstream_run: Annotated[None, Field(exclude=True)] = None
    message_parts: Annotated[int, Field(exclude=True)] = 0
    event_published: Annotated[bool, Field(exclude=True)] = False

    @classmethod
    def of(cls, run: Run, message: str | None) -> Self:
        """The view of a run with its message, if it has one."""
        shown = run.model_dump(exclude={"previous_upstream_run", "intent", "upstream_run"})
        return cls.model_validate({**shown, "message": message})


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
