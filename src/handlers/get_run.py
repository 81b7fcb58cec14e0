"""GET /runs/{run_id}: the record of a run, with its message once it is completed."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.http import answer, http_api
from upcall.run import RunView
from upcall.store import run_store

app = http_api()


@app.get("/runs/<run_id>")
def get_run(run_id: str) -> Response[str]:
    """Show a run."""
    run = run_store().get(run_id)
    return answer(HTTPStatus.OK, RunView.of(run, run_store().message(run)))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request of the HTTP API (payload version 2.0)."""
    return app.resolve(event, context)
