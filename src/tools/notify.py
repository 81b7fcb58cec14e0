"""A tool with an effect: a short message to the people behind a webhook."""

import uuid
from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field

from upcall import settings
from upcall.errors import ToolError
from upcall.tool import this_call, tool


def notify(
    message: Annotated[str, Field(min_length=1, max_length=2000, description="Plain text.")],
) -> str:
    """Send a short message to the team that runs this system. It is sent once and cannot be taken back."""
    from upcall.secrets import secret
    from upcall.webhooks import post

    url = settings.webhook_url()
    if not url:
        raise ToolError("no webhook is set up here, so nobody can be notified")
    call = this_call()
    content = {
        "type": "upcall.notification",
        "timestamp": datetime.now(UTC).isoformat(),
        "data": {"message": message, "run_id": call.run_id if call else None},
    }
    message_id = f"{call.run_id}_{call.call_id}" if call else f"msg_{uuid.uuid4().hex}"
    post(url, secret(settings.webhook_secret_name()), message_id, content)
    return "The message was sent."


lambda_handler = tool(notify, effect="once")
