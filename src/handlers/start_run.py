"""POST /runs: takes a request, writes the record, starts the workflow, answers 202. Never calls OpenAI."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.http import answer, body, http_api
from upcall.models import Model, Status
from upcall.run import RunRequest
from upcall.start import start

app = http_api()


class RunAccepted(Model):
    """The answer: the run's id, and that it waits for the workflow."""

    run_id: str
    status: Status


@app.post("/runs")
def start_run() -> Response[str]:
    """Start a run."""
    run = start(body(app, RunRequest))
    accepted = RunAccepted(run_id=run.run_id, status=run.status)
    return answer(HTTPStatus.ACCEPTED, accepted, Location=f"/runs/{run.run_id}")


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request of the HTTP API (payload version 2.0)."""
    return app.resolve(event, context)
