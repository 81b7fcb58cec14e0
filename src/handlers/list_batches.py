"""GET /batches: the caller's batches, newest first."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.aws.batch_repository import batch_repository
from upcall.domain.batch_view import BatchList
from upcall.domain.views import MAX_PAGE_SIZE
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    Owner,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.list_batches import list_batches

load_at_init(batch_repository)
app = http_api()
lambda_handler = lambda_handler_of(app)

Cursor = Annotated[
    str | None,
    Query(pattern="^0[0-9a-f]{11}-batch_[0-9a-f]{28}$", description="The next_cursor of the page before."),
]


@app.get(
    "/batches",
    operation_id="list_batches",
    responses=describe_responses(
        HTTPStatus.OK, BatchList, "A page of the list.", HTTPStatus.SERVICE_UNAVAILABLE
    ),
)
def handle_request(
    owner: Owner = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Batches per page.")] = 20,
    cursor: Cursor = None,
) -> Response[str]:
    """List the caller's batches, newest first. A page may be short; the last has no next_cursor."""
    page = list_batches(
        owner, limit, cursor, current_caller(), batches=batch_repository(), clock=SystemClock()
    )
    return json_response(HTTPStatus.OK, page)
