"""GET /batches/{batch_id}/results: where the results of a batch can be read."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.aws import batch_files, s3
from upcall.aws.batch_repository import batch_repository
from upcall.domain.batch_view import BatchResults
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.http_api import (
    BatchId,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.get_batch_results import get_batch_results

load_at_init(batch_repository, s3.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)


@app.get(
    "/batches/<batch_id>/results",
    operation_id="get_batch_results",
    responses=describe_responses(
        HTTPStatus.OK, BatchResults, "The objects with the results, in order.", HTTPStatus.NOT_FOUND
    ),
)
def handle_request(batch_id: BatchId) -> Response[str]:
    """Show where the results of a batch that has ended can be read."""
    results = get_batch_results(batch_id, current_caller(), batches=batch_repository(), files=batch_files)
    return json_response(HTTPStatus.OK, results)
