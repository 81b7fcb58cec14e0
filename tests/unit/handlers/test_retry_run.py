import pytest
from support.fakes.clock import START
from support.run_records import FAILURE, USAGE, new_run
from support.wired_handlers import WiredHandlers

from upcall.domain.upstream_run import Message


def test_a_failed_run_is_queued_again(handlers: WiredHandlers) -> None:
    run = handlers.repository.add_run(new_run())
    handlers.repository.record_failure(run, FAILURE, USAGE, START)

    response = handlers.request("retry_run", run_id=run.run_id)

    assert response.status == 202
    assert response.headers["Location"] == f"/runs/{run.run_id}"
    assert (response.json["status"], response.json["attempt"]) == ("queued", 2)
    assert response.json.keys().isdisjoint({"failure", "ended_at", "message"})
    assert list(handlers.workflow.executions) == [f"{run.run_id}-2"]


@pytest.mark.parametrize("status", ["queued", "completed"])
def test_a_run_that_is_open_or_completed_is_a_conflict_that_says_so(
    handlers: WiredHandlers, status: str
) -> None:
    run = handlers.repository.add_run(new_run())
    if status == "completed":
        handlers.repository.complete_run(run, Message(text="Done."), START)

    response = handlers.request("retry_run", run_id=run.run_id)

    assert response.status == 409
    assert status in response.json["detail"]


def test_a_run_that_does_not_exist_is_not_found(handlers: WiredHandlers) -> None:
    assert handlers.request("retry_run", run_id="run_0").status == 404
