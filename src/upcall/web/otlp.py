"""Sends spans by OTLP over HTTP, in its JSON encoding: https://opentelemetry.io/docs/specs/otlp/#otlphttp."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote

import httpx

from upcall.domain.errors import InvalidSecret, RequestRejected, TransientError
from upcall.domain.retry_after import parse_retry_after
from upcall.web.transport import tls_context

TIMEOUT_SECONDS: Final = 10.0
PATH: Final = "/v1/traces"
MAX_RESPONSE_BYTES: Final = 65_536
MAX_REASON_CHARACTERS: Final = 300

_RETRYABLE: Final = (429, 502, 503, 504)
"""The statuses after which the specification lets a request be sent again."""

_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?")


def send_spans(endpoint: str, headers: Mapping[str, str], request: Mapping[str, Any]) -> int:
    """Post a request to an endpoint of the operator, and return how many spans it has rejected.

    Those must not be sent again. The endpoint is the base URL, to which the path of traces is added, or ends
    with that path. It may lead to a private address. Raises TransientError if the request may be sent again,
    RequestRejected if not. Redirects are not followed.
    """
    body = json.dumps(request, ensure_ascii=False, separators=(",", ":")).encode()
    try:
        with (
            httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False, verify=tls_context()) as client,
            client.stream(
                "POST",
                traces_url(endpoint),
                content=body,
                headers={**headers, "Content-Type": "application/json"},
            ) as response,
        ):
            answer = _read(response)
    except httpx.TransportError as error:
        raise TransientError(f"no response from the OTLP endpoint: {type(error).__name__}") from None
    except httpx.InvalidURL:
        raise RequestRejected("the OTLP endpoint is not a valid URL") from None
    status = response.status_code
    if status in _RETRYABLE:
        pause = parse_retry_after(response.headers.get("Retry-After"), datetime.now(UTC))
        raise TransientError(f"the OTLP endpoint returned {status}", retry_after=pause)
    if not 200 <= status < 300:
        text = answer.decode(errors="replace")[:MAX_REASON_CHARACTERS]
        raise RequestRejected(f"the OTLP endpoint returned {status}: {text}")
    return _rejected_spans(answer)


def traces_url(endpoint: str) -> str:
    """The URL that traces are posted to."""
    base = endpoint.rstrip("/")
    return base if base.endswith(PATH) else f"{base}{PATH}"


def parse_headers(name: str, secret: str) -> dict[str, str]:
    """The headers in a secret, which has the form of OTEL_EXPORTER_OTLP_HEADERS: `name=value,name=value`.

    Values are percent-decoded. Raises InvalidSecret, which names the secret and not its value.
    """
    headers: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in secret.split(","))):
        key, separator, value = (part.strip() for part in pair.partition("="))
        value = unquote(value)
        if not separator or not _HEADER_NAME.fullmatch(key) or not _HEADER_VALUE.fullmatch(value):
            raise InvalidSecret(f"the secret {name} must be headers in the form name=value,name=value")
        headers[key] = value
    return headers


def _read(response: httpx.Response) -> bytes:
    """The beginning of the body."""
    body = b""
    for part in response.iter_bytes():
        body += part
        if len(body) >= MAX_RESPONSE_BYTES:
            break
    return body[:MAX_RESPONSE_BYTES]


def _rejected_spans(answer: bytes) -> int:
    """The number in a partial success; 0 in any other answer."""
    try:
        return max(int(json.loads(answer)["partialSuccess"]["rejectedSpans"]), 0)
    except (ValueError, TypeError, KeyError, RecursionError):
        return 0
