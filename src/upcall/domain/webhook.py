"""What OpenAI's webhooks say of runs: https://platform.openai.com/docs/guides/webhooks."""

from typing import Final

from pydantic import BaseModel, Field, ValidationError

from upcall.domain.errors import InvalidInput
from upcall.domain.validation import field_errors

RUN_EVENTS: Final = (
    "response.completed",
    "response.failed",
    "response.cancelled",
    "response.incomplete",
    "agent.session.action_required",
    "agent.session.idle",
    "agent.session.failed",
)
"""The types of events after which a run may have something for us to do."""


MAX_ID_CHARACTERS: Final = 255
"""Of a response or session, whose id becomes part of a key in the table."""


class _Data(BaseModel):
    id: str = Field(max_length=MAX_ID_CHARACTERS)


class _Body(BaseModel):
    type: str
    data: _Data


class WebhookEvent(BaseModel):
    """An event, and the id of the response or session that it is about."""

    type: str
    upstream_id: str


def parse_webhook(body: bytes) -> WebhookEvent | None:
    """The event of a message; None if it is none of RUN_EVENTS. Raises InvalidInput."""
    try:
        parsed = _Body.model_validate_json(body)
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from None
    if parsed.type not in RUN_EVENTS:
        return None
    return WebhookEvent(type=parsed.type, upstream_id=parsed.data.id)
