"""Callback URLs at the door: what can be told of one before anything is looked up.

The guard of downloads decides again when the callback is posted, on the addresses that its host has then.
"""

from urllib.parse import urlsplit

from upcall import config
from upcall.domain.errors import FieldError, InvalidInput, ToolError
from upcall.web.ssrf import check_authority, check_destination

_PORTS = {"http": 80, "https": 443}


def check_callback_url(url: str) -> None:
    """Raise InvalidInput for a URL that no callback will ever be posted to."""
    if reason := _reason_against(url):
        raise InvalidInput(FieldError("callback_url", reason))


def _reason_against(url: str) -> str | None:
    if not config.callback_secret_name():
        return "callbacks are not set up here"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return f"this is not a URL: {error}"
    try:
        check_authority(host, port, names_user=parts.username is not None)
        check_destination(host, port or _PORTS[parts.scheme])
    except ToolError as error:
        return str(error)
    return None
