"""Runs that are written into the table as they would be after their end: large ones, and many."""

import json
from collections.abc import Sequence
from copy import copy
from datetime import UTC, datetime, timedelta

from support.run_records import UPSTREAM_RUN, new_run

from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.run import Run
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolOutput
from upcall.domain.upstream_run import Message
from upcall.domain.usage import Usage

USAGE = Usage(
    input_tokens=1200,
    cached_tokens=800,
    output_tokens=300,
    reasoning_tokens=120,
    total_tokens=1500,
    usd=0.0123,
)


def save_run(
    repository: DynamoDBRunRepository,
    rounds: Sequence[Sequence[tuple[ToolCall, str]]],
    message: str,
    **fields: object,
) -> Run:
    """A completed run with these rounds of calls and their outputs. Each call takes 0.4 s, the model 1.5 s."""
    at = datetime.now(UTC) - timedelta(seconds=5 + 3 * len(rounds))
    repository = copy(repository)
    repository._now = lambda: at
    run = repository.add_run(
        new_run(created_at=at, **{"prompt": "Read everything.", "model": "gpt-5.4-mini", **fields})
    )
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    for number, calls in enumerate(rounds, start=1):
        at += timedelta(seconds=1.5)
        run = repository.get_run(run.run_id)
        entries = _entries(number, calls, at)
        repository.record_requested_calls(run.run_id, number, [call for call, _ in calls], run.tool_calls)
        at += timedelta(seconds=0.9)
        repository.record_round(run, UPSTREAM_RUN, entries, USAGE)
    run = repository.get_run(run.run_id)
    return repository.complete_run(run, Message(text=message, usage=USAGE), at + timedelta(seconds=1.5))


def _entries(number: int, calls: Sequence[tuple[ToolCall, str]], at: datetime) -> list[LedgerEntry]:
    return [
        LedgerEntry(
            round=number,
            position=position,
            call=call,
            output=ToolOutput(
                call_id=call.call_id,
                outcome="ok",
                output=output,
                started_at=at + timedelta(milliseconds=20 * position),
                duration_ms=400,
            ),
        )
        for position, (call, output) in enumerate(calls, start=1)
    ]


def large_rounds(rounds: int = 50, calls: int = 12) -> list[list[tuple[ToolCall, str]]]:
    """Rounds that read pages of some kilobytes each."""
    return [
        [
            (
                ToolCall(
                    call_id=f"call_{number}_{position}",
                    name="fetch",
                    arguments=json.dumps({"url": f"https://example.com/{number}/{position}"}),
                ),
                json.dumps(
                    {"title": f"Page {number}.{position}", "text": "The tide comes twice a day. " * 100}
                ),
            )
            for position in range(1, calls + 1)
        ]
        for number in range(1, rounds + 1)
    ]
