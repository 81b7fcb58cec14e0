"""What tests of run repositories share: adding runs and calls, and every kind of write."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from support.fakes.clock import START
from support.run_records import ANSWER, FAILURE, UPSTREAM_RUN, USAGE, answered_round, new_run
from upcall.domain.run import Run
from upcall.domain.status import Status
from upcall.domain.tool_calls import LedgerEntry, ToolCall
from upcall.domain.upstream_run import Message
from upcall.domain.usage import NO_USAGE
from upcall.domain.views import RunSummary
from upcall.use_cases.interfaces import RunRepository

LATER = START + timedelta(minutes=1)
DONE = Message(text="Done.", usage=USAGE)

Write = Callable[[RunRepository, Run], object]

WRITES: dict[str, Write] = {
    "record_intent": lambda repository, run: repository.record_intent(run, UPSTREAM_RUN),
    "record_creation": lambda repository, run: repository.record_creation(run, UPSTREAM_RUN, "polled"),
    "record_round": lambda repository, run: repository.record_round(run, UPSTREAM_RUN, [ANSWER], USAGE),
    "complete_run": lambda repository, run: repository.complete_run(run, DONE, LATER),
    "record_failure": lambda repository, run: repository.record_failure(run, FAILURE, USAGE, LATER),
}
"""Every method that changes an open run."""


def add_run(repository: RunRepository, **fields: object) -> Run:
    return repository.add_run(new_run(**fields))


def add_failed_run(repository: RunRepository, **fields: object) -> Run:
    return repository.record_failure(add_run(repository, **fields), FAILURE, NO_USAGE, LATER)


def add_calls(repository: RunRepository, run: Run, count: int, output: str = "x") -> Run:
    """Record a round of that many calls. Returns the run after it."""
    number = run.round + 1
    calls = [
        ToolCall(call_id=f"call_{number}_{n}", name="fetch", arguments="{}") for n in range(1, count + 1)
    ]
    repository.record_round(run, UPSTREAM_RUN, answered_round(number, calls, output), USAGE)
    return repository.get_run(run.run_id)


def list_all_runs(
    repository: RunRepository, *, owner: str | None = None, status: Status | None = None, limit: int = 100
) -> list[RunSummary]:
    """The runs of all pages."""
    runs: list[RunSummary] = []
    cursor = None
    while True:
        page = repository.list_runs(owner=owner, status=status, limit=limit, cursor=cursor)
        assert len(page.runs) <= limit
        runs += page.runs
        if (cursor := page.next_cursor) is None:
            return runs


def list_call_pages(repository: RunRepository, run_id: str, limit: int) -> Iterator[list[str]]:
    """The ids of the calls of each page."""
    for page in list_entry_pages(repository, run_id, limit):
        yield [entry.call.call_id for entry in page]


def list_entry_pages(repository: RunRepository, run_id: str, limit: int) -> Iterator[tuple[LedgerEntry, ...]]:
    """The calls and outputs of each page."""
    cursor = None
    while True:
        page = repository.list_calls(run_id, limit, cursor)
        yield page.calls
        if (cursor := page.next_cursor) is None:
            return
