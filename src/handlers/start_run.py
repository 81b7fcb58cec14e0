"""POST /runs: records the run, starts the workflow, returns 202. Never calls OpenAI."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from upcall import config
from upcall.aws import step_functions
from upcall.aws.run_repository import run_repository
from upcall.domain.model import Model
from upcall.domain.run_request import RunRequest
from upcall.domain.status import Status
from upcall.lambda_runtime.caller_identity import current_caller
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.run_apis import get_run_api
from upcall.use_cases.start_run import RunDefaults, start_run
from upcall.web.callback_urls import check_callback_url

load_at_init(run_repository, step_functions.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)

KEY = "The same key with the same request returns the same run; with another request it is rejected."
TRACEPARENT = (
    "The caller's trace, which the run's trace continues (W3C Trace Context). An invalid one is ignored."
)
ERRORS = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
ACCEPTED = "The run was accepted; Location is its URL."


class RunAccepted(Model):
    """The run's id and status."""

    run_id: str
    status: Status


@app.post(
    "/runs",
    operation_id="start_run",
    responses=describe_responses(HTTPStatus.ACCEPTED, RunAccepted, ACCEPTED, *ERRORS),
)
def handle_request(
    request: Annotated[RunRequest, Body()],
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, description=KEY)
    ] = None,
    traceparent: Annotated[str | None, Header(description=TRACEPARENT)] = None,
) -> Response[str]:
    """Start a run."""
    run = start_run(
        request,
        current_caller(),
        idempotency_key,
        traceparent=traceparent,
        defaults=RunDefaults(config.model(), config.run_api(), config.default_quota(), config.price_list()),
        repository=run_repository(),
        get_run_api=get_run_api,
        workflow=step_functions,
        check_callback_url=check_callback_url,
        clock=SystemClock(),
    )
    accepted = RunAccepted(run_id=run.run_id, status=run.status)
    return json_response(HTTPStatus.ACCEPTED, accepted, Location=f"/runs/{run.run_id}")
