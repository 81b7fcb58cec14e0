"""GET /runs/{run_id}/calls: the ledger of a run."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.caller import callers_run
from upcall.http import RunId, answer, answers, handler, http_api
from upcall.run import CallList
from upcall.run_index import LIST_LIMIT
from upcall.store import run_store

app = http_api()
lambda_handler = handler(app)

Cursor = Annotated[
    str | None, Query(max_length=256, pattern="^[0-9]{4}#", description="The next_cursor of the part before.")
]


@app.get(
    "/runs/<run_id>/calls",
    operation_id="list_calls",
    responses=answers(HTTPStatus.OK, CallList, "A part of the ledger.", HTTPStatus.NOT_FOUND),
)
def list_calls(
    run_id: RunId,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT, description="At most so many.")] = 20,
    cursor: Cursor = None,
) -> Response[str]:
    """List the tool calls of a run that were answered, with their outputs, round by round."""
    run = callers_run(run_id)
    return answer(HTTPStatus.OK, run_store().calls(run.run_id, limit, cursor))
