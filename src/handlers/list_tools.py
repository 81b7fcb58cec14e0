"""GET /tools: the tools that there are."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

import tools
from upcall.http import answer, answers, handler, http_api
from upcall.models import Model, ToolDefinition

app = http_api()
lambda_handler = handler(app)


class ToolList(Model):
    """All tools, as a model is told of them."""

    tools: tuple[ToolDefinition, ...]


@app.get("/tools", operation_id="list_tools", responses=answers(HTTPStatus.OK, ToolList, "The tools."))
def list_tools() -> Response[str]:
    """List the tools."""
    return answer(HTTPStatus.OK, ToolList(tools=tuple(tools.definitions(tools.names()))))
