"""POST /runs/{run_id}/tool_outputs: the run's caller answers calls of its own tools."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from upcall.aws import step_functions
from upcall.aws.run_repository import run_repository
from upcall.domain.answers import ToolOutputsRequest
from upcall.domain.views import RunView
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    RunId,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.receive_tool_outputs import receive_tool_outputs

load_at_init(run_repository, step_functions.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)

ERRORS = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


@app.post(
    "/runs/<run_id>/tool_outputs",
    operation_id="receive_tool_outputs",
    responses=describe_responses(HTTPStatus.OK, RunView, "The run with the calls that still wait.", *ERRORS),
)
def handle_request(run_id: RunId, request: Annotated[ToolOutputsRequest, Body()]) -> Response[str]:
    """Give the outputs of calls that wait for the caller. The same outputs again change nothing."""
    view = receive_tool_outputs(
        run_id,
        request,
        current_caller(),
        repository=run_repository(),
        waiting_tasks=step_functions,
        clock=SystemClock(),
    )
    return json_response(HTTPStatus.OK, view)
