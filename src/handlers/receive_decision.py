"""POST /runs/{run_id}/calls/{call}/decision: a person approves or denies a tool call."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from upcall import config
from upcall.aws import step_functions
from upcall.aws.run_repository import run_repository
from upcall.domain.answers import DecisionRequest
from upcall.domain.tool_calls import Decision
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    CallId,
    RunId,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.receive_decision import receive_decision

load_at_init(run_repository, step_functions.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)

ERRORS = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)


@app.post(
    "/runs/<run_id>/calls/<call>/decision",
    operation_id="receive_decision",
    responses=describe_responses(HTTPStatus.OK, Decision, "The decision, which is recorded.", *ERRORS),
)
def handle_request(run_id: RunId, call: CallId, request: Annotated[DecisionRequest, Body()]) -> Response[str]:
    """Approve or deny a call with exactly these arguments. The same decision again changes nothing."""
    decision = receive_decision(
        run_id,
        call,
        request,
        current_caller(),
        four_eyes=config.four_eyes(),
        repository=run_repository(),
        waiting_tasks=step_functions,
        clock=SystemClock(),
    )
    return json_response(HTTPStatus.OK, decision)
