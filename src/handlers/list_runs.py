"""GET /runs: the runs, newest first."""

from http import HTTPStatus
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Query

from upcall.caller import seen_by_caller
from upcall.http import answer, answers, handler, http_api
from upcall.models import Status
from upcall.run import RunList
from upcall.run_index import LIST_LIMIT
from upcall.store import run_store

app = http_api()
lambda_handler = handler(app)

Cursor = Annotated[
    str | None, Query(pattern="^run_0[0-9a-f]{11,27}$", description="The next_cursor of the part before.")
]


@app.get("/runs", operation_id="list_runs", responses=answers(HTTPStatus.OK, RunList, "A part of the list."))
def list_runs(
    status: Annotated[Status | None, Query(description="Only runs of this status.")] = None,
    limit: Annotated[int, Query(ge=1, le=LIST_LIMIT, description="At most so many.")] = 20,
    cursor: Cursor = None,
) -> Response[str]:
    """List the caller's runs, newest first. A part may be short or empty; the last has no next_cursor."""
    return answer(HTTPStatus.OK, run_store().index.listed(status, limit, cursor, seen_by_caller()))
