"""List what happened to a run, after waiting until something more has happened, if that is asked for."""

from dataclasses import dataclass

from upcall.domain.caller import Caller
from upcall.domain.run import Run
from upcall.domain.run_events import MAX_TEXT_PIECES, RunEventList, count_events
from upcall.use_cases.get_run import get_run_of_caller, wait_for_run
from upcall.use_cases.interfaces import Clock, RunRepository, WaitingRequests


@dataclass(frozen=True)
class ListedEvents:
    """Events of a run. `retry_after` says after how many seconds to repeat a request that may not wait."""

    page: RunEventList
    retry_after: int | None = None


def list_events(
    run_id: str,
    after: int,
    limit: int,
    wait_seconds: float,
    caller: Caller,
    text_after: int | None = None,
    *,
    repository: RunRepository,
    waiting_requests: WaitingRequests,
    clock: Clock,
) -> ListedEvents:
    """At most `limit` events of a run after that number, as soon as there are some.

    With `wait_seconds`, the answer comes after so many seconds at the latest, and at once if the run has
    ended or if too many requests of the caller wait. With `text_after`, pieces of what the model writes are
    listed as well, after the one with that number, and it comes as soon as there is one, too. Raises
    NotFound, also for a run of another caller.
    """

    def has_more(run: Run) -> bool:
        if run.ended or count_events(run) > after:
            return True
        return run.stream and text_after is not None and bool(repository.list_pieces(run_id, text_after, 1))

    run = get_run_of_caller(run_id, caller, repository)
    waited = wait_for_run(
        run,
        has_more,
        wait_seconds,
        caller,
        repository=repository,
        waiting_requests=waiting_requests,
        clock=clock,
    )
    page = RunEventList.of(waited.run, after, limit)
    if text_after is not None:
        pieces = repository.list_pieces(run_id, text_after, MAX_TEXT_PIECES + 1) if run.stream else []
        page = page.with_text(pieces, text_after)
    return ListedEvents(page, waited.retry_after)
