"""GET /runs: the caller's runs, newest first."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.aws.run_repository import run_repository
from upcall.domain.status import Status
from upcall.domain.views import MAX_PAGE_SIZE, RunList
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.http_api import (
    Owner,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.list_runs import list_runs

load_at_init(run_repository)
app = http_api()
lambda_handler = lambda_handler_of(app)

Cursor = Annotated[
    str | None, Query(pattern="^run_0[0-9a-f]{11,27}$", description="The next_cursor of the page before.")
]


@app.get(
    "/runs",
    operation_id="list_runs",
    responses=describe_responses(HTTPStatus.OK, RunList, "A page of the list."),
)
def handle_request(
    owner: Owner = None,
    status: Annotated[Status | None, Query(description="Only runs of this status.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE_SIZE, description="Runs per page.")] = 20,
    cursor: Cursor = None,
) -> Response[str]:
    """List the caller's runs, newest first. A page may be short or empty; the last has no next_cursor."""
    page = list_runs(owner, status, limit, cursor, current_caller(), repository=run_repository())
    return json_response(HTTPStatus.OK, page)
