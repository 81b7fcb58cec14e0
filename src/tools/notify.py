"""A tool with an effect: it sends a message to the operator's webhook."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from upcall import config
from upcall.domain.chat_message import chat_message
from upcall.domain.errors import InvalidSecret, ToolError
from upcall.tool import current_call, tool


def notify(
    message: Annotated[str, Field(min_length=1, max_length=2000, description="Plain text.")],
) -> str:
    """Send a short message to the team that runs this system. It is sent once and cannot be taken back."""
    from upcall.aws.secrets_manager import get_secret
    from upcall.web.standard_webhooks import post

    url = config.webhook_url()
    if not url:
        raise ToolError("no webhook is configured, so nobody can be notified")
    call = current_call()
    content = chat_message(
        config.webhook_format(),
        "upcall.notification",
        datetime.now(UTC),
        message,
        {"message": message, "run_id": call.run_id if call else None},
    )
    message_id = f"{call.run_id}_{call.key}" if call else f"msg_{uuid.uuid4().hex}"
    try:
        post(url, get_secret(config.webhook_secret_name()), message_id, content)
    except InvalidSecret as error:
        name = config.webhook_secret_name()
        raise ToolError(
            f"nothing was sent: {error}. "
            f"The operator must correct the secret {name} (parameter WebhookSecretName)"
        ) from None
    return "The message was sent."


lambda_handler = tool(notify, effect="once")
