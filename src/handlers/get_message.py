"""GET /runs/{run_id}/message: the message of a run, in parts."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.aws.run_repository import run_repository
from upcall.domain.views import MessagePage
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.http_api import (
    RunId,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.get_message import get_message

load_at_init(run_repository)
app = http_api()
lambda_handler = lambda_handler_of(app)

Cursor = Annotated[
    str | None, Query(pattern="^[0-9]{1,4}$", description="The next_cursor of the part before.")
]


@app.get(
    "/runs/<run_id>/message",
    operation_id="get_message",
    responses=describe_responses(HTTPStatus.OK, MessagePage, "A part of the message.", HTTPStatus.NOT_FOUND),
)
def handle_request(run_id: RunId, cursor: Cursor = None) -> Response[str]:
    """Show the message of a run, in parts of at most 350 KB."""
    page = get_message(run_id, cursor, current_caller(), repository=run_repository())
    return json_response(HTTPStatus.OK, page)
