"""Signed messages to webhooks: https://www.standardwebhooks.com."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from upcall.domain.errors import InvalidSecret, OutcomeUnknown, ToolError

if TYPE_CHECKING:
    import httpx

HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")

VERSION: Final = "v1"
"""Of signatures: HMAC with SHA-256."""

SECRET_PREFIX: Final = "whsec_"  # noqa: S105  # the standard's prefix, not a secret
MIN_SECRET_BYTES: Final = 24
MAX_SECRET_BYTES: Final = 64

TOLERANCE_SECONDS: Final = 300
"""How old a received message may be, and how far its time may be in the future."""

TIMEOUT_SECONDS = 10.0

MAX_ID_CHARACTERS: Final = 255
"""Of a received message, whose id becomes part of a key in the table."""

_ASYMMETRIC_PREFIXES: Final = ("whsk_", "whpk_")
_TIMESTAMP: Final = re.compile("[0-9]{1,12}")


def post(
    url: str,
    secret: str,
    message_id: str,
    content: Mapping[str, Any],
    transport: "httpx.BaseTransport | None" = None,
) -> None:
    """POST a signed message as JSON. A message that is sent again keeps its `message_id`.

    A URL from a caller needs a GuardedTransport; None means httpx's own transport. Raises ToolError if the
    message did not arrive or was rejected, OutcomeUnknown if it may have arrived, and InvalidSecret.
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
    """The headers of a signed message: its id, the time in Unix seconds, and the signatures.

    `secret` is one secret, or several with blanks between them while they are being rotated. Each is base64,
    with or without the standard's prefix. Raises InvalidSecret for anything else.
    """
    timestamp = str(int(time.time()))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The versioned signature of a message's id, time and body by each secret. Raises InvalidSecret."""
    if "." in message_id:
        raise ValueError("a message's id must not contain a full stop, which separates it from the time")
    return " ".join(_signatures(secret, message_id, timestamp, body))


def check_secret(secret: str) -> None:
    """Raise InvalidSecret, which says why, if messages cannot be signed with it."""
    _keys(secret)


def rejection_reason(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> str | None:
    """Why a received message must not be accepted; None if its signature is valid and it is recent.

    `secret` is as for `signature_headers`; a signature by one of several is enough. `now` is the time in Unix
    seconds. Raises InvalidSecret.
    """
    values = {name.lower(): value.strip() for name, value in headers.items()}
    for name in HEADERS:
        if not values.get(name):
            return f"the header {name} is missing"
    message_id, timestamp, signatures = (values[name] for name in HEADERS)
    if len(message_id) > MAX_ID_CHARACTERS or not message_id.isascii():
        return f"webhook-id has more than {MAX_ID_CHARACTERS} characters, or others than ASCII"
    if not _TIMESTAMP.fullmatch(timestamp):
        return "webhook-timestamp is not a time in seconds since 1970"
    age = int(now) - int(timestamp)
    if age > TOLERANCE_SECONDS:
        return f"the message was sent {age} seconds ago; at most {TOLERANCE_SECONDS} are accepted"
    if age < -TOLERANCE_SECONDS:
        return f"the message's time is {-age} seconds in the future; at most {TOLERANCE_SECONDS} are accepted"
    versioned = (each for each in signatures.split() if each.startswith(f"{VERSION},"))
    received = [each.encode(errors="replace") for each in versioned]
    if not received:
        return f"there is no signature of version {VERSION}"
    expected = [each.encode() for each in _signatures(secret, message_id, timestamp, body)]
    if not any([hmac.compare_digest(one, other) for one in received for other in expected]):  # noqa: C419
        return "no signature matches: the message was signed with another secret, or was changed"
    return None


def _signatures(secret: str, message_id: str, timestamp: str, body: bytes) -> Iterator[str]:
    content = b".".join([message_id.encode(), timestamp.encode(), body])
    for key in _keys(secret):
        yield f"{VERSION},{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}"


def _keys(secret: str) -> list[bytes]:
    """The bytes of each secret."""
    secrets = secret.removeprefix("\ufeff").split() or [""]
    names = ["the webhook secret"]
    if len(secrets) > 1:
        names = [f"{names[0]} (number {number} of {len(secrets)})" for number in range(1, len(secrets) + 1)]
    keys = [_decode(each, name) for each, name in zip(secrets, names, strict=True)]
    for key, name in zip(keys, names, strict=True):
        if not key:
            raise InvalidSecret(f"{name} is empty")
        if not MIN_SECRET_BYTES <= len(key) <= MAX_SECRET_BYTES:
            limits = f"{MIN_SECRET_BYTES} to {MAX_SECRET_BYTES}"
            raise InvalidSecret(f"{name} has {len(key)} bytes; Standard Webhooks requires {limits}")
    return keys


def _decode(secret: str, name: str) -> bytes:
    if secret.startswith(_ASYMMETRIC_PREFIXES):
        raise InvalidSecret(f"{name} is a key for asymmetric signatures, which are not supported")
    encoded = secret.removeprefix(SECRET_PREFIX).rstrip("=")
    try:
        return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except ValueError:  # also binascii.Error
        raise InvalidSecret(f"{name} must be base64, with or without {SECRET_PREFIX} in front") from None
