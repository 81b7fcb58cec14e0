"""Messages to webhooks, signed so that the receiver knows the sender: https://www.standardwebhooks.com."""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json

from upcall.domain.errors import OutcomeUnknown, ToolError

if TYPE_CHECKING:
    import httpx

SECRET_PREFIX = "whsec_"  # noqa: S105  # the standard's, not a secret
TIMEOUT_SECONDS = 10.0


def post(
    url: str,
    secret: str,
    message_id: str,
    content: Mapping[str, Any],
    transport: "httpx.BaseTransport | None" = None,
) -> None:
    """POST a message as JSON, signed; `message_id` is the same when the same message is sent again.

    `transport` is the way to the network, where it is not to be httpx's own: an address that a stranger
    chose goes through a guarded one.

    Raises ToolError if it did not arrive or was not accepted, OutcomeUnknown if that cannot be told.
    """
    import httpx

    body = to_json(content)
    headers = {"Content-Type": "application/json", **signed(secret, message_id, body)}
    try:
        with (
            httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream("POST", url, content=body, headers=headers) as answer,
        ):
            status = answer.status_code
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol):
        raise ToolError("the webhook cannot be reached; nothing was sent") from None
    except httpx.TransportError:
        raise OutcomeUnknown("the webhook gave no answer") from None
    if not 200 <= status < 300:
        raise ToolError(f"the webhook did not accept the message: it answered {status}")


def signed(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    """The headers of a signed message: its id, the time in Unix seconds, and the signature over all three.

    `secret` is base64, with or without the standard's prefix. Raises ValueError for anything else.
    """
    timestamp = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature over a message's id, its time and its body, with its version. Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook's secret is base64") from None
    told = b".".join([message_id.encode(), timestamp.encode(), body])
    return f"v1,{base64.b64encode(hmac.digest(key, told, hashlib.sha256)).decode()}"
