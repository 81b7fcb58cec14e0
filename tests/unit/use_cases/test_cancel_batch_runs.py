import threading
from collections.abc import Callable

import pytest
from support.batch_records import BATCH_ID, COMPLETED, new_batch
from support.batch_repository_contract import line_of
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import START, FakeClock

from upcall.domain.batch import Batch
from upcall.domain.caller import Caller
from upcall.domain.errors import NotFound, RunAlreadyEnded, TransientError
from upcall.use_cases import cancel_batch_runs as cancel_batch_runs_module
from upcall.use_cases.cancel_batch_runs import RunsCancelled, cancel_batch_runs


class Canceller:
    """Cancels runs. `cancelled` lists their ids; `errors` are raised for some."""

    def __init__(self) -> None:
        self.cancelled: list[str] = []
        self.callers: set[Caller] = set()
        self.errors: dict[str, Exception] = {}
        self.on_cancel: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def __call__(self, run_id: str, caller: Caller) -> None:
        with self._lock:
            self.on_cancel()
            if run_id in self.errors:
                raise self.errors[run_id]
            self.cancelled.append(run_id)
            self.callers.add(caller)


@pytest.fixture
def canceller() -> Canceller:
    return Canceller()


@pytest.fixture
def cancel(
    batches: InMemoryBatchRepository, canceller: Canceller, clock: FakeClock
) -> Callable[[], RunsCancelled]:
    return lambda: cancel_batch_runs(
        BATCH_ID, one_tenant=False, batches=batches, cancel_run=canceller, clock=clock
    )


Cancel = Callable[[], RunsCancelled]


@pytest.fixture
def batch(batches: InMemoryBatchRepository) -> Batch:
    """A batch of forty lines under way, and one that has ended."""
    batch = batches.add_batch(new_batch())
    for number in range(1, 42):
        batches.claim_line(batch, line_of(number, run_id=batch.run_id(number)))
    batches.end_line(BATCH_ID, 41, COMPLETED, START)
    return batch


def test_all_runs_under_way_are_cancelled_for_their_owner(
    cancel: Cancel, canceller: Canceller, batch: Batch
) -> None:
    assert cancel() == RunsCancelled(cancelled=40, more=False)
    assert sorted(canceller.cancelled) == sorted(batch.run_id(number) for number in range(1, 41))
    assert canceller.callers == {Caller("ann", one_tenant=False)}


def test_runs_that_do_not_exist_or_have_just_ended_are_passed_over(
    cancel: Cancel, canceller: Canceller, batch: Batch
) -> None:
    canceller.errors = {batch.run_id(1): NotFound("no"), batch.run_id(2): RunAlreadyEnded("ended")}

    assert cancel() == RunsCancelled(cancelled=40, more=False)
    assert len(canceller.cancelled) == 38


def test_an_error_that_passes_lets_the_state_be_repeated(
    cancel: Cancel, canceller: Canceller, batch: Batch
) -> None:
    canceller.errors = {batch.run_id(3): TransientError("throttled")}

    with pytest.raises(TransientError):
        cancel()
    assert batch.run_id(40) in canceller.cancelled, "the others are cancelled all the same"


@pytest.mark.usefixtures("batch")
def test_when_the_time_is_over_some_are_left(cancel: Cancel, canceller: Canceller, clock: FakeClock) -> None:
    canceller.on_cancel = lambda: clock.advance(cancel_batch_runs_module.MAX_SECONDS / 10)

    result = cancel()

    assert result.more
    assert 10 <= result.cancelled == len(canceller.cancelled) < 40


def test_a_batch_without_runs_under_way_has_none_to_cancel(
    cancel: Cancel, batches: InMemoryBatchRepository
) -> None:
    batches.add_batch(new_batch())

    assert cancel() == RunsCancelled(cancelled=0, more=False)


def test_a_batch_that_does_not_exist_is_not_found(cancel: Cancel) -> None:
    with pytest.raises(NotFound):
        cancel()
