"""POST /runs/{run_id}/retry: tries a run again that has ended without a message."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.http import RunId, answer, answers, handler, http_api
from upcall.retry import retry
from upcall.run import RunView

app = http_api()
lambda_handler = handler(app)


@app.post(
    "/runs/<run_id>/retry",
    operation_id="retry_run",
    responses=answers(
        HTTPStatus.ACCEPTED, RunView, "The run, queued again.", HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
    ),
)
def retry_run(run_id: RunId) -> Response[str]:
    """Try a run again that has ended without a message; what its tools have answered is not asked again."""
    shown = RunView.of(retry(run_id), None)
    return answer(HTTPStatus.ACCEPTED, shown, Location=f"/runs/{run_id}")
