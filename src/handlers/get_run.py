"""GET /runs/{run_id}: the record of a run, with its message once it is completed."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.http import RunId, answer, answers, handler, http_api
from upcall.run import RunView
from upcall.waiting import ended_run

app = http_api()
lambda_handler = handler(app)

WAIT = "Seconds to wait for the run to end; the answer comes as soon as it has."


@app.get(
    "/runs/<run_id>",
    operation_id="get_run",
    responses=answers(HTTPStatus.OK, RunView, "The run.", HTTPStatus.NOT_FOUND),
)
def get_run(run_id: RunId, wait: Annotated[int, Query(ge=0, le=25, description=WAIT)] = 0) -> Response[str]:
    """Show a run."""
    return answer(HTTPStatus.OK, ended_run(run_id, wait))
