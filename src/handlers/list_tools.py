"""GET /tools: the tools of the deployment."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

import tools
from upcall.domain.model import Model
from upcall.domain.tool_calls import ToolDefinition
from upcall.lambda_runtime.http_api import (
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
)

app = http_api()
lambda_handler = lambda_handler_of(app)


class ToolList(Model):
    """All tools, as the model sees them."""

    tools: tuple[ToolDefinition, ...]


@app.get(
    "/tools",
    operation_id="list_tools",
    responses=describe_responses(HTTPStatus.OK, ToolList, "The tools."),
)
def handle_request() -> Response[str]:
    """List the tools."""
    return json_response(HTTPStatus.OK, ToolList(tools=tuple(tools.definitions(tools.names()))))
