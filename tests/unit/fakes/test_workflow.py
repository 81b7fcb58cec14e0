import pytest
from support.fakes.workflow import InMemoryBatchWorkflow, InMemoryWorkflow
from support.run_records import new_run
from support.workflow_contract import BatchWorkflowContract, WorkflowContract

from upcall.domain.execution import Execution


class TestInMemoryWorkflow(WorkflowContract):
    @pytest.fixture
    def workflow(self) -> InMemoryWorkflow:
        return InMemoryWorkflow()


class TestInMemoryBatchWorkflow(BatchWorkflowContract):
    @pytest.fixture
    def batch_workflow(self) -> InMemoryBatchWorkflow:
        return InMemoryBatchWorkflow()


def test_an_execution_has_the_error_and_the_cause_that_it_was_stopped_with() -> None:
    """As on AWS; moto drops both."""
    workflow, run = InMemoryWorkflow(), new_run()
    workflow.start_execution(run)

    workflow.stop_execution(run, "cancelled", "Cancelled on request.")

    assert workflow.describe_execution(run) == Execution(
        name=run.run_id, status="ABORTED", error="cancelled", cause="Cancelled on request."
    )


def test_a_task_is_completed_once() -> None:
    """Step Functions does the same; moto accepts every token."""
    workflow = InMemoryWorkflow()

    assert workflow.complete_task("token", {"n": 1})
    assert not workflow.complete_task("token", {"n": 2})
    assert workflow.outputs == {"token": {"n": 1}}


def test_a_task_that_has_ended_is_not_completed() -> None:
    workflow = InMemoryWorkflow()
    workflow.ended_tasks.add("token")

    assert not workflow.complete_task("token", {})
    assert workflow.outputs == {}
