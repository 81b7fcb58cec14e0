"""POST /runs/{run_id}/cancel: calls a run off, here and upstream."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.cancel import cancel
from upcall.http import RunId, answer, answers, handler, http_api
from upcall.run import RunView

app = http_api()
lambda_handler = handler(app)


@app.post(
    "/runs/<run_id>/cancel",
    operation_id="cancel_run",
    responses=answers(
        HTTPStatus.OK, RunView, "The run, which is cancelled.", HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT
    ),
)
def cancel_run(run_id: RunId) -> Response[str]:
    """Cancel a run; one that has ended is a conflict."""
    return answer(HTTPStatus.OK, RunView.of(cancel(run_id), None))
