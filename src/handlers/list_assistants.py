"""GET /assistants: the assistants of the deployment."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.domain.assistants import Assistant, all_assistants
from upcall.domain.model import Model
from upcall.lambda_runtime.http_api import (
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)

app = http_api()
lambda_handler = lambda_handler_of(app)


class AssistantList(Model):
    """All assistants."""

    assistants: tuple[Assistant, ...]


@app.get(
    "/assistants",
    operation_id="list_assistants",
    responses=describe_responses(HTTPStatus.OK, AssistantList, "The assistants."),
)
def handle_request() -> Response[str]:
    """List the assistants."""
    return json_response(HTTPStatus.OK, AssistantList(assistants=tuple(all_assistants().values())))
