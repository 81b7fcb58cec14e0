"""An execution of the workflow, as Step Functions describes it."""

from typing import Annotated, Literal

from pydantic import Field

from upcall.domain.model import Model

ExecutionStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]


class Execution(Model):
    """An execution and, if it has ended, the error and cause it ended with."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    status: ExecutionStatus
    error: str | None = None
    cause: str | None = None

    @property
    def run_id(self) -> str:
        """The run that it belongs to. From a run's second attempt on, a number follows the id."""
        return self.name.partition("-")[0]
