"""POST /batches/{batch_id}/cancel: stops a batch and cancels its runs."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.aws import step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.domain.batch_view import BatchView
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    BatchId,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.cancel_batch import cancel_batch

load_at_init(batch_repository, step_functions.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)


@app.post(
    "/batches/<batch_id>/cancel",
    operation_id="cancel_batch",
    responses=describe_responses(
        HTTPStatus.OK,
        BatchView,
        "The batch, which is being cancelled.",
        HTTPStatus.NOT_FOUND,
        HTTPStatus.CONFLICT,
    ),
)
def handle_request(batch_id: BatchId) -> Response[str]:
    """Cancel a batch; one that has ended is a conflict."""
    view = cancel_batch(
        batch_id,
        current_caller(),
        batches=batch_repository(),
        workflow=step_functions,
        clock=SystemClock(),
    )
    return json_response(HTTPStatus.OK, view)
