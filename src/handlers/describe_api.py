"""GET /openapi.json: what the API takes and gives. GET /health: that it answers."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.http import answer, answers, handler, http_api, openapi
from upcall.models import Model

app = http_api()
lambda_handler = handler(app)


class Health(Model):
    """That the API answers."""

    status: str = "ok"


@app.get("/health", operation_id="health", responses=answers(HTTPStatus.OK, Health, "The API answers."))
def health() -> Response[str]:
    """Say that the API answers; the one route that is open to all."""
    return answer(HTTPStatus.OK, Health())


@app.get("/openapi.json", include_in_schema=False)
def description() -> Response[str]:
    """Describe the API."""
    from handlers import (
        cancel_run,
        get_run,
        list_assistants,
        list_calls,
        list_runs,
        list_tools,
        retry_run,
        start_run,
    )

    routes = (start_run, list_runs, get_run, list_calls, cancel_run, retry_run, list_tools, list_assistants)
    return openapi(*(module.app for module in routes), app)
