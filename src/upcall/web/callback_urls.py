"""Callback URLs in requests: rejects those that can never be posted to, without looking up their host.

The addresses of the host are checked when the callback is posted, because they may change until then.
"""

from urllib.parse import urlsplit

from upcall import config
from upcall.domain.errors import FieldError, InvalidInput, ToolError
from upcall.web.ssrf import check_authority, check_destination

_DEFAULT_PORTS = {"http": 80, "https": 443}


def check_callback_url(url: str) -> None:
    """Raise InvalidInput for a URL that no callback can be posted to."""
    if reason := _rejection_reason(url):
        raise InvalidInput(FieldError("callback_url", reason))


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
