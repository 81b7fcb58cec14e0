"""Posts callbacks to URLs that callers choose."""

from collections.abc import Mapping
from typing import Any

from upcall.web.standard_webhooks import TIMEOUT_SECONDS, post
from upcall.web.transport import GuardedTransport, TransferBudget
from upcall.web.urls import parse_url

MAX_RESPONSE_BYTES = 65_536
"""Only the status of the response is used."""


def post_callback(url: str, secret: str, message_id: str, content: Mapping[str, Any]) -> None:
    """Post a signed message to a URL of a caller, if it leads to a public address. Raises as `post` does."""
    with GuardedTransport(TransferBudget(TIMEOUT_SECONDS, MAX_RESPONSE_BYTES)) as transport:
        post(str(parse_url(url)), secret, message_id, content, transport)
