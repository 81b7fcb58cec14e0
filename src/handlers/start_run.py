"""POST /runs: takes a request, writes the record, starts the workflow, answers 202. Never calls OpenAI."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from upcall.caller import caller
from upcall.http import answer, answers, handler, http_api
from upcall.models import Model, Status
from upcall.run_request import RunRequest
from upcall.start import start

app = http_api()
lambda_handler = handler(app)

KEY = "The same key with the same request gives the same run; with another request it is refused."
REFUSALS = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY)
ACCEPTED = "The run was accepted; Location says where it is to be seen."


class RunAccepted(Model):
    """The answer: the run's id, and how it stands."""

    run_id: str
    status: Status


@app.post(
    "/runs",
    operation_id="start_run",
    responses=answers(HTTPStatus.ACCEPTED, RunAccepted, ACCEPTED, *REFUSALS),
)
def start_run(
    request: Annotated[RunRequest, Body()],
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", min_length=1, max_length=255, description=KEY)
    ] = None,
) -> Response[str]:
    """Start a run."""
    run = start(request, caller(), idempotency_key)
    accepted = RunAccepted(run_id=run.run_id, status=run.status)
    return answer(HTTPStatus.ACCEPTED, accepted, Location=f"/runs/{run.run_id}")
