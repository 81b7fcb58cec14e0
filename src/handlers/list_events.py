"""GET /runs/{run_id}/events: what happened to a run, in order."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.aws.run_repository import run_repository
from upcall.aws.waiting_requests import waiting_requests
from upcall.domain.run_events import MAX_EVENTS, RunEventList
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
from upcall.use_cases.list_events import list_events

load_at_init(run_repository)
app = http_api()
lambda_handler = lambda_handler_of(app)

AFTER = "The number of the last event that is known: those after it are listed."
TEXT_AFTER = (
    "The number of the last piece of text that is known, 0 at first: what the model has written since is "
    "listed, if the run was started with `stream`."
)


@app.get(
    "/runs/<run_id>/events",
    operation_id="list_events",
    responses=describe_responses(HTTPStatus.OK, RunEventList, "Events, in order.", HTTPStatus.NOT_FOUND),
)
def handle_request(
    run_id: RunId,
    after: Annotated[int, Query(ge=0, description=AFTER)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_EVENTS, description="Events per response.")] = 200,
    wait: Wait = 0,
    text_after: Annotated[int | None, Query(ge=0, description=TEXT_AFTER)] = None,
) -> Response[str]:
    """List the events of a run. With `wait`, the response comes as soon as there is one more.

    While too many requests of the caller wait, it comes at once, with a Retry-After header.
    """
    clock = SystemClock()
    listed = list_events(
        run_id,
        after,
        limit,
        seconds_left(app, wait, clock),
        current_caller(),
        text_after,
        repository=run_repository(),
        waiting_requests=waiting_requests(),
        clock=clock,
    )
    headers = {"Retry-After": str(listed.retry_after)} if listed.retry_after else {}
    return json_response(HTTPStatus.OK, listed.page, **headers)
