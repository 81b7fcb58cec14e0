"""A workflow without Step Functions: executions are recorded, and nothing runs."""

from collections.abc import Mapping
from typing import Any

from upcall.domain.batch import Batch
from upcall.domain.execution import Execution, ExecutionStatus
from upcall.domain.run import Run


class InMemoryWorkflow:
    """Implements Workflow and WaitingTasks. `executions` has every execution by its name, `outputs` those of completed
    tasks by their tokens. Tasks of `ended_tasks` wait no longer."""

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}
        self.outputs: dict[str, Mapping[str, Any]] = {}
        self.ended_tasks: set[str] = set()

    def start_execution(self, run: Run) -> None:
        """See Workflow."""
        name = run.execution_name
        self.executions.setdefault(name, Execution(name=name, status="RUNNING", error="", cause=""))

    def stop_execution(self, run: Run, error: str, cause: str) -> bool:
        """See Workflow."""
        if run.execution_name not in self.executions:
            return False
        if self.executions[run.execution_name].status == "RUNNING":
            self.end_execution(run, "ABORTED", error, cause)
        return True

    def describe_execution(self, run: Run) -> Execution | None:
        """See Workflow."""
        return self.executions.get(run.execution_name)

    def complete_task(self, task_token: str, output: Mapping[str, Any]) -> bool:
        """See WaitingTasks."""
        if task_token in self.ended_tasks:
            return False
        self.ended_tasks.add(task_token)
        self.outputs[task_token] = output
        return True

    def end_execution(self, run: Run, status: ExecutionStatus, error: str = "", cause: str = "") -> None:
        """Let the execution of this attempt of a run end."""
        name = run.execution_name
        self.executions[name] = Execution(name=name, status=status, error=error, cause=cause)


class InMemoryBatchWorkflow:
    """Implements BatchWorkflow. `executions` has the status of every execution by its name."""

    def __init__(self) -> None:
        self.executions: dict[str, ExecutionStatus] = {}

    def start_batch_execution(self, batch: Batch) -> bool:
        """See BatchWorkflow."""
        return self.executions.setdefault(batch.execution_name, "RUNNING") == "RUNNING"

    def stop_batch_execution(self, execution_name: str) -> None:
        """See BatchWorkflow."""
        if self.executions.get(execution_name) == "RUNNING":
            self.executions[execution_name] = "ABORTED"

    def describe_batch_execution(self, batch: Batch) -> Execution | None:
        """See BatchWorkflow."""
        status = self.executions.get(batch.execution_name)
        return status and Execution(name=batch.execution_name, status=status, error="", cause="")
