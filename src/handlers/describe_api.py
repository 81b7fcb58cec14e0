"""GET /openapi.json: the API's description. GET /health: that it answers."""

from functools import cache
from http import HTTPStatus
from importlib import import_module
from pathlib import Path

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response

from upcall.domain.model import Model
from upcall.lambda_runtime.http_api import (
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
    merge_descriptions,
)
from upcall.lambda_runtime.init import load_at_init

app = http_api()
lambda_handler = lambda_handler_of(app)


class Health(Model):
    """That the API answers."""

    status: str = "ok"


@app.get(
    "/health",
    operation_id="health",
    responses=describe_responses(HTTPStatus.OK, Health, "The API answers."),
)
def handle_health_request() -> Response[str]:
    """Say that the API answers; the one route that is open to all."""
    return json_response(HTTPStatus.OK, Health())


@app.get("/openapi.json", include_in_schema=False)
def handle_description_request() -> Response[str]:
    """Describe the API."""
    return Response(HTTPStatus.OK, "application/json", description())


@cache
def description() -> str:
    """The description of the routes of every handler in this folder."""
    modules = [
        import_module(f"handlers.{path.stem}") for path in sorted(Path(__file__).parent.glob("[!_]*.py"))
    ]
    apps = [
        module.app for module in modules if isinstance(getattr(module, "app", None), APIGatewayHttpResolver)
    ]
    return merge_descriptions(*apps)


load_at_init(description)
