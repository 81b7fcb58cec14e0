"""POST /runs/{run_id}/cancel: cancels a run, here and upstream."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.aws import sqs, step_functions
from upcall.aws.run_repository import run_repository
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
from upcall.run_apis import get_run_api
from upcall.use_cases.cancel_run import cancel_run

load_at_init(run_repository, step_functions.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)


@app.post(
    "/runs/<run_id>/cancel",
    operation_id="cancel_run",
    responses=describe_responses(
        HTTPStatus.OK, RunView, "The run, which is cancelled.", HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
    ),
)
def handle_request(run_id: RunId) -> Response[str]:
    """Cancel a run; one that has ended is a conflict."""
    run = cancel_run(
        run_id,
        current_caller(),
        repository=run_repository(),
        get_run_api=get_run_api,
        workflow=step_functions,
        ended_executions=sqs,
        clock=SystemClock(),
    )
    return json_response(HTTPStatus.OK, RunView.of(run, None))
