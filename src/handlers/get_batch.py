"""GET /batches/{batch_id}: a batch, and how far it is."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

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
from upcall.use_cases.get_batch import get_batch

load_at_init(batch_repository)
app = http_api()
lambda_handler = lambda_handler_of(app)


@app.get(
    "/batches/<batch_id>",
    operation_id="get_batch",
    responses=describe_responses(HTTPStatus.OK, BatchView, "The batch.", HTTPStatus.NOT_FOUND),
)
def handle_request(batch_id: BatchId) -> Response[str]:
    """Show a batch with its counts."""
    view = get_batch(batch_id, current_caller(), batches=batch_repository(), clock=SystemClock())
    return json_response(HTTPStatus.OK, view)
