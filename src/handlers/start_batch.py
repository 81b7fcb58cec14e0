"""POST /batches: records the batch, starts its workflow, returns 202."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from upcall import config
from upcall.aws import batch_files, s3, step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.domain.batch_request import BatchRequest
from upcall.domain.batch_view import BatchView
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.start_batch import start_batch

load_at_init(batch_repository, step_functions.get_client, s3.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)

KEY = "The same key with the same request returns the same batch; with another request it is rejected."
ERRORS = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
ACCEPTED = "The batch was accepted; Location is its URL."


@app.post(
    "/batches",
    operation_id="start_batch",
    responses=describe_responses(HTTPStatus.ACCEPTED, BatchView, ACCEPTED, *ERRORS),
)
def handle_request(
    request: Annotated[BatchRequest, Body()],
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, description=KEY)
    ] = None,
) -> Response[str]:
    """Start a batch."""
    view = start_batch(
        request,
        current_caller(),
        idempotency_key,
        batches=batch_repository(),
        files=batch_files,
        workflow=step_functions,
        default_model=config.model(),
        prices=config.price_list(),
        clock=SystemClock(),
    )
    return json_response(HTTPStatus.ACCEPTED, view, Location=f"/batches/{view.batch_id}")
