"""GET /assistants: the assistants that there are."""

from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall.assistants import Assistant, assistants
from upcall.http import answer, answers, handler, http_api
from upcall.models import Model

app = http_api()
lambda_handler = handler(app)


class AssistantList(Model):
    """All assistants."""

    assistants: tuple[Assistant, ...]


@app.get(
    "/assistants",
    operation_id="list_assistants",
    responses=answers(HTTPStatus.OK, AssistantList, "The assistants."),
)
def list_assistants() -> Response[str]:
    """List the assistants."""
    return answer(HTTPStatus.OK, AssistantList(assistants=tuple(assistants().values())))
