"""POST /runs/{run_id}/cancel: calls a run off, here and upstream."""

from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.typing import LambdaContext

from upcall.cancel import cancel
from upcall.http import answer, http_api
from upcall.run import RunView

app = http_api()


@app.post("/runs/<run_id>/cancel")
def cancel_run(run_id: str) -> Response[str]:
    """Cancel a run; one that has ended is a conflict."""
    return answer(HTTPStatus.OK, RunView.of(cancel(run_id), None))


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Handle a request of the HTTP API (payload version 2.0)."""
    return app.resolve(event, context)
