"""GET /runs/{run_id}: the record of a run, with its message once it is completed."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.aws.run_repository import run_repository
from upcall.aws.waiting_requests import waiting_requests
from upcall.domain.views import RunView
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    RunId,
    Wait,
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
    seconds_left,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.use_cases.get_run import get_run

load_at_init(run_repository)
app = http_api()
lambda_handler = lambda_handler_of(app)


@app.get(
    "/runs/<run_id>",
    operation_id="get_run",
    responses=describe_responses(HTTPStatus.OK, RunView, "The run.", HTTPStatus.NOT_FOUND),
)
def handle_request(run_id: RunId, wait: Wait = 0) -> Response[str]:
    """Show a run. With `wait`, the response comes as soon as it has ended or waits for outputs of its caller.

    While too many requests of the caller wait, the response comes at once, with a Retry-After header.
    """
    clock = SystemClock()
    shown = get_run(
        run_id,
        seconds_left(app, wait, clock),
        current_caller(),
        repository=run_repository(),
        waiting_requests=waiting_requests(),
        clock=clock,
    )
    headers = {"Retry-After": str(shown.retry_after)} if shown.retry_after else {}
    return json_response(HTTPStatus.OK, shown.view, **headers)
