from support.fakes.clock import START
from support.run_records import UPSTREAM_RUN, new_run
from support.wired_handlers import WiredHandlers

from upcall.domain.upstream_run import Message


def test_a_run_is_cancelled_and_shown(handlers: WiredHandlers) -> None:
    run = handlers.repository.add_run(new_run())
    handlers.repository.record_creation(run, UPSTREAM_RUN, "polled")

    response = handlers.request("cancel_run", run_id=run.run_id)

    assert (response.status, response.json["status"]) == (200, "cancelled")
    assert response.json["failure"]["message"] == "Cancelled on request."
    assert handlers.repository.get_run(run.run_id).status == "cancelled"
    assert handlers.run_api.cancelled == [UPSTREAM_RUN]
    assert len(handlers.ended_executions.executions) == 1


def test_a_run_that_has_ended_is_a_conflict_that_says_so(handlers: WiredHandlers) -> None:
    run = handlers.repository.add_run(new_run())
    handlers.repository.complete_run(run, Message(text="Done."), START)

    first, second = (handlers.request("cancel_run", run_id=run.run_id) for _ in range(2))

    assert (first.status, second.status) == (409, 409)
    assert first.json["detail"] == f"run {run.run_id} has ended already: it is completed"


def test_a_run_that_does_not_exist_is_not_found(handlers: WiredHandlers) -> None:
    assert handlers.request("cancel_run", run_id="run_x").status == 404
