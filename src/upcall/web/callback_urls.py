"""Callback URLs, which callers choose.

A request with one that can never be posted to is rejected, without looking up its host. The addresses of the
host are checked when the callback is posted, because they may change until then.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from upcall import config
from upcall.domain.errors import FieldError, InvalidInput, ToolError
from upcall.web.ssrf import check_authority, check_destination
from upcall.web.standard_webhooks import TIMEOUT_SECONDS, post
from upcall.web.transport import GuardedTransport, TransferBudget
from upcall.web.urls import parse_url

MAX_RESPONSE_BYTES = 65_536
"""Only the status of the response is used."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_callback_url(url: str) -> None:
    """Raise InvalidInput for a URL that no callback can be posted to."""
    if reason := _rejection_reason(url):
        raise InvalidInput(FieldError("callback_url", reason))


def post_callback(url: str, secret: str, message_id: str, content: Mapping[str, Any]) -> None:
    """Post a signed message to a URL of a caller, if it leads to a public address. Raises as `post` does."""
    with GuardedTransport(TransferBudget(TIMEOUT_SECONDS, MAX_RESPONSE_BYTES)) as transport:
        post(str(parse_url(url)), secret, message_id, content, transport)


def _rejection_reason(url: str) -> str | None:
    if not config.callback_secret_name():
        return "callbacks are not configured"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return f"this is not a URL: {error}"
    try:
        check_authority(host, port, has_credentials=parts.username is not None)
        check_destination(host, port or _DEFAULT_PORTS[parts.scheme])
    except ToolError as error:
        return str(error)
    return None
