"""POST /runs/{run_id}/retry: retries a run that ended without a message."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall import config
from upcall.aws import step_functions
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
from upcall.use_cases.retry_run import retry_run

load_at_init(run_repository, step_functions.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)

ERRORS = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


@app.post(
    "/runs/<run_id>/retry",
    operation_id="retry_run",
    responses=describe_responses(HTTPStatus.ACCEPTED, RunView, "The run, queued again.", *ERRORS),
)
def handle_request(run_id: RunId) -> Response[str]:
    """Retry a run that ended without a message; tools that have answered are not called again."""
    run = retry_run(
        run_id,
        current_caller(),
        repository=run_repository(),
        get_run_api=get_run_api,
        workflow=step_functions,
        clock=SystemClock(),
        default_quota=config.default_quota(),
    )
    return json_response(HTTPStatus.ACCEPTED, RunView.of(run, None), Location=f"/runs/{run_id}")
