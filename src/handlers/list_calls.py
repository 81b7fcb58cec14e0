"""GET /runs/{run_id}/calls: the ledger of a run."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.aws.run_repository import run_repository
from upcall.domain.views import MAX_PAGE_SIZE, CallList
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.http_api import (
    RunId,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.list_calls import list_calls

load_at_init(run_repository)
app = http_api()
lambda_handler = lambda_handler_of(app)

Cursor = Annotated[
    str | None, Query(pattern="^[0-9]{4}#[0-9]{4}$", description="The next_cursor of the page before.")
]


@app.get(
    "/runs/<run_id>/calls",
    operation_id="list_calls",
    responses=describe_responses(HTTPStatus.OK, CallList, "A page of the ledger.", HTTPStatus.NOT_FOUND),
)
def handle_request(
    run_id: RunId,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Calls per page.")] = 20,
    cursor: Cursor = None,
) -> Response[str]:
    """List the answered tool calls of a run with their outputs, round by round."""
    page = list_calls(run_id, limit, cursor, current_caller(), repository=run_repository())
    return json_response(HTTPStatus.OK, page)
