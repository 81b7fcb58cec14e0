"""Ended executions, by Step Functions' events: closes the run of each, unless the workflow has ended it."""

from typing import Annotated, Literal

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic import BaseModel, Field, ValidationError

from upcall import config
from upcall.aws import eventbridge, step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.aws.run_repository import run_repository
from upcall.aws.sqs import send_to_dead_letter_queue
from upcall.domain.errors import InvalidInput
from upcall.domain.execution import Execution
from upcall.domain.validation import field_errors
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.lambda_runtime.sqs_batch import sqs_batch
from upcall.observability.logging import log_context
from upcall.run_apis import get_run_api
from upcall.use_cases.close_run import close_run

load_at_init(run_repository, eventbridge.get_client, step_functions.get_client)


class _Detail(BaseModel):
    name: Annotated[str, Field(min_length=1, max_length=80)]
    status: Literal["FAILED", "TIMED_OUT", "ABORTED", "SUCCEEDED"]
    error: str | None = None
    cause: str | None = None


class _ExecutionStatusChange(BaseModel):
    detail: _Detail


@sqs_batch
def lambda_handler(record: SQSRecord) -> None:
    """Close the run of one execution. An event that is not understood goes to the dead-letter queue."""
    try:
        detail = _ExecutionStatusChange.model_validate_json(record.body).detail
    except ValidationError as error:
        reason = str(InvalidInput(*field_errors(error)))
        send_to_dead_letter_queue(config.ended_execution_dead_letter_queue_url(), record.body, reason)
        return
    execution = Execution.model_validate(detail.model_dump())
    with log_context(run_id=execution.name):
        close_run(
            execution,
            repository=run_repository(),
            get_run_api=get_run_api,
            publisher=eventbridge,
            batches=batch_repository(),
            waiting_tasks=step_functions,
            clock=SystemClock(),
        )
