"""What every Workflow and every BatchWorkflow does.

Test modules subclass a contract and provide the fixture `workflow` or `batch_workflow`.
"""

import secrets

from support.batch_records import new_batch
from support.run_records import new_run
from support.waiting import wait_until
from upcall.domain.batch import Batch
from upcall.domain.execution import Execution
from upcall.domain.run import Run
from upcall.use_cases.interfaces import BatchWorkflow, Workflow


def ended_execution(workflow: Workflow, run: Run) -> Execution:
    """An execution that was stopped. Step Functions shows its end a moment later."""

    def find() -> Execution | None:
        execution = workflow.describe_execution(run)
        return execution if execution is not None and execution.status != "RUNNING" else None

    return wait_until(find, "the end of the execution")


def second_attempt(run: Run) -> Run:
    return run.model_copy(update={"attempt": 2})


class WorkflowContract:
    """The contract. Nothing runs: an execution ends when it is stopped."""

    def test_an_execution_has_the_runs_id_as_its_name(self, workflow: Workflow) -> None:
        run = new_run()
        workflow.start_execution(run)

        expected = Execution(name=run.run_id, status="RUNNING", error="", cause="")
        assert workflow.describe_execution(run) == expected

    def test_a_run_that_was_not_started_has_no_execution(self, workflow: Workflow) -> None:
        workflow.start_execution(new_run())

        assert workflow.describe_execution(new_run()) is None

    def test_a_second_start_changes_nothing(self, workflow: Workflow) -> None:
        run = new_run()
        workflow.start_execution(run)
        workflow.start_execution(run)

        execution = workflow.describe_execution(run)
        assert execution is not None
        assert execution.status == "RUNNING"

    def test_a_running_execution_can_be_stopped(self, workflow: Workflow) -> None:
        run = new_run()
        workflow.start_execution(run)

        assert workflow.stop_execution(run, "cancelled", "Cancelled on request.")
        assert ended_execution(workflow, run).status == "ABORTED"

    def test_an_execution_that_has_ended_is_not_started_again(self, workflow: Workflow) -> None:
        run = new_run()
        workflow.start_execution(run)
        workflow.stop_execution(run, "cancelled", "Stop.")
        workflow.start_execution(run)

        assert ended_execution(workflow, run).status == "ABORTED"

    def test_stopping_an_execution_again_changes_nothing(self, workflow: Workflow) -> None:
        run = new_run()
        workflow.start_execution(run)
        workflow.stop_execution(run, "cancelled", "Stop.")

        stopped = ended_execution(workflow, run)
        assert workflow.stop_execution(run, "another", "Another.")
        assert workflow.describe_execution(run) == stopped

    def test_an_execution_that_does_not_exist_cannot_be_stopped(self, workflow: Workflow) -> None:
        assert not workflow.stop_execution(new_run(), "cancelled", "Stop.")

    def test_each_attempt_has_an_execution_of_its_own(self, workflow: Workflow) -> None:
        run = new_run()
        workflow.start_execution(run)
        workflow.stop_execution(run, "x", "x")
        assert workflow.describe_execution(second_attempt(run)) is None

        workflow.start_execution(second_attempt(run))

        execution = workflow.describe_execution(second_attempt(run))
        assert execution is not None
        assert (execution.name, execution.run_id) == (f"{run.run_id}-2", run.run_id)
        assert execution.status == "RUNNING"


def batch_with_new_id() -> Batch:
    return new_batch(batch_id=f"batch_{secrets.token_hex(14)}")


def wait_for_status(workflow: BatchWorkflow, batch: Batch, status: str) -> None:
    def is_so() -> bool:
        execution = workflow.describe_batch_execution(batch)
        return execution is not None and execution.status == status

    wait_until(is_so, f"an execution that is {status}")


class BatchWorkflowContract:
    """The contract. Nothing runs: an execution ends when it is stopped."""

    def test_a_batch_that_was_not_started_has_no_execution(self, batch_workflow: BatchWorkflow) -> None:
        batch_workflow.start_batch_execution(batch_with_new_id())

        assert batch_workflow.describe_batch_execution(batch_with_new_id()) is None

    def test_a_batch_is_started_once(self, batch_workflow: BatchWorkflow) -> None:
        batch = batch_with_new_id()

        assert batch_workflow.start_batch_execution(batch)
        assert batch_workflow.start_batch_execution(batch)
        expected = Execution(name=batch.batch_id, status="RUNNING", error="", cause="")
        assert batch_workflow.describe_batch_execution(batch) == expected

    def test_an_execution_that_was_stopped_is_not_started_again(self, batch_workflow: BatchWorkflow) -> None:
        batch = batch_with_new_id()
        batch_workflow.start_batch_execution(batch)
        batch_workflow.stop_batch_execution(batch.execution_name)
        wait_for_status(batch_workflow, batch, "ABORTED")

        assert not batch_workflow.start_batch_execution(batch)
        wait_for_status(batch_workflow, batch, "ABORTED")

    def test_each_attempt_of_a_batch_has_an_execution_of_its_own(self, batch_workflow: BatchWorkflow) -> None:
        batch = batch_with_new_id()
        batch_workflow.start_batch_execution(batch)
        batch_workflow.stop_batch_execution(batch.execution_name)
        second = batch.model_copy(update={"attempt": 2})
        assert batch_workflow.describe_batch_execution(second) is None

        assert batch_workflow.start_batch_execution(second)
        wait_for_status(batch_workflow, second, "RUNNING")

    def test_to_stop_an_execution_that_does_not_exist_changes_nothing(
        self, batch_workflow: BatchWorkflow
    ) -> None:
        batch = batch_with_new_id()

        batch_workflow.stop_batch_execution(batch.execution_name)

        assert batch_workflow.describe_batch_execution(batch) is None
