from datetime import timedelta

from support.fakes.clock import START
from support.run_records import new_run
from support.sample_events import sample_event
from support.wired_handlers import WiredHandlers


def test_the_counts_of_a_sweep_are_returned(handlers: WiredHandlers) -> None:
    missing, ended, running = (
        handlers.repository.add_run(new_run(created_at=START - timedelta(hours=hours))) for hours in (1, 2, 3)
    )
    handlers.workflow.end_execution(ended, "FAILED")
    handlers.workflow.start_execution(running)

    result = handlers.invoke("sweep_runs", sample_event("sweep_runs"))

    assert result == {"open": 3, "resumed": 1, "enqueued": 1, "answered": 0}
    assert handlers.workflow.executions[missing.run_id].status == "RUNNING"
    assert [execution.run_id for execution in handlers.ended_executions.executions] == [ended.run_id]
