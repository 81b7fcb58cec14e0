"""An execution of the workflow, as Step Functions describes it."""

from typing import Annotated, Literal

from pydantic import Field

from upcall.domain.model import Model

ExecutionStatus = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PENDING_REDRIVE"]


def execution_name(subject: str, attempt: int) -> str:
    """The name of an execution: the id of its run or batch, with a number from the second attempt on."""
    return subject if attempt == 1 else f"{subject}-{attempt}"


class Execution(Model):
    """An execution and, if it has ended, the error and cause it ended with."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    status: ExecutionStatus
    error: str | None = None
    cause: str | None = None

    @property
    def run_id(self) -> str:
        """The run that it belongs to; see execution_name."""
        return self.name.partition("-")[0]
