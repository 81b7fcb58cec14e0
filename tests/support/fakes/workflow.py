"""A workflow without Step Functions: executions are recorded, and nothing runs."""

from upcall.domain.execution import Execution, ExecutionStatus
from upcall.domain.run import Run


class InMemoryWorkflow:
    """Implements Workflow. `executions` has every execution by its name."""

    def __init__(self) -> None:
        self.executions: dict[str, Execution] = {}

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

    def end_execution(self, run: Run, status: ExecutionStatus, error: str = "", cause: str = "") -> None:
        """Let the execution of this attempt of a run end."""
        name = run.execution_name
        self.executions[name] = Execution(name=name, status=status, error=error, cause=cause)
