"""Signed messages to webhooks: https://www.standardwebhooks.com."""

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

SECRET_PREFIX = "whsec_"  # noqa: S105  # the standard's prefix, not a secret
TIMEOUT_SECONDS = 10.0


def post(
    url: str,
    secret: str,
    message_id: str,
    content: Mapping[str, Any],
    transport: "httpx.BaseTransport | None" = None,
) -> None:
    """POST a signed message as JSON. A message that is sent again keeps its `message_id`.

    A URL from a caller needs a GuardedTransport; None means httpx's own transport. Raises ToolError if the
    message did not arrive or was rejected, and OutcomeUnknown if it may have arrived.
    """
    import httpx

    body = to_json(content)
    headers = {"Content-Type": "application/json", **signature_headers(secret, message_id, body)}
    try:
        with (
            httpx.Client(transport=transport, timeout=TIMEOUT_SECONDS, trust_env=False) as client,
            client.stream("POST", url, content=body, headers=headers) as response,
        ):
            status = response.status_code
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol):
        raise ToolError("the webhook cannot be reached; nothing was sent") from None
    except httpx.TransportError:
        raise OutcomeUnknown("the webhook did not respond") from None
    if not 200 <= status < 300:
        raise ToolError(f"the webhook did not accept the message: it returned {status}")


def signature_headers(secret: str, message_id: str, body: bytes) -> dict[str, str]:
    """The headers of a signed message: its id, the time in Unix seconds, and the signature.

    `secret` is base64, with or without the standard's prefix. Raises ValueError for anything else.
    """
    timestamp = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The signature of a message's id, time and body, with the version of the scheme. Raises ValueError."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("a webhook's secret must be base64") from None
    signed_content = b".".join([message_id.encode(), timestamp.encode(), body])
    return f"v1,{base64.b64encode(hmac.digest(key, signed_content, hashlib.sha256)).decode()}"
