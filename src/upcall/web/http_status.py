"""Responses that are no page: what the model is told, and when it may ask again."""

import math
from datetime import datetime
from typing import Final

import httpx

from upcall.domain.retry_after import parse_retry_after

READABLE: Final = frozenset({200, 203})
"""203 is a page that a proxy has changed. Of the other 2xx, 204 and 205 have no body, 206 is a part that was
not asked for, and 201 and 202 report on work."""

MAX_RETRY_SECONDS: Final = 30 * 86_400

MAX_REASON_CHARACTERS: Final = 100
"""Of the server's own name of a status."""


_ADVICE: Final = {
    202: "the page is not ready yet",
    204: "the page is empty; there is nothing to read",
    205: "the page is empty; there is nothing to read",
    206: "this is only a part of the document",
    401: "the page needs a login, which this tool does not have; use a page that is public",
    402: "the page has to be paid for; use another source",
    403: "the site does not let this tool in; use another source, or an API of the site",
    407: "the page needs a login, which this tool does not have; use a page that is public",
    451: "the page is withheld for legal reasons; use another source",
}

_CHALLENGE_HEADERS: Final = {
    "cf-mitigated": "Cloudflare",
    "x-amzn-waf-action": "AWS WAF",
    "x-datadome-cid": "DataDome",
    "x-vercel-mitigated": "Vercel",
}
"""Headers that a response has only if the request was held back."""


def status_error(response: httpx.Response, now: datetime) -> str:
    """What the server returned, with advice and with its Retry-After, as a message for the model."""
    reason = response.reason_phrase[:MAX_REASON_CHARACTERS]
    message = f"the server returned {response.status_code} {reason}".rstrip()
    if advice := _ADVICE.get(response.status_code):
        message += f": {advice}"
    if (seconds := retry_after_seconds(response.headers.get("retry-after", ""), now)) is not None:
        message += (
            f"; it asks to wait {_duration(seconds)} before the next request, so read something else first"
        )
    return message


def challenger(response: httpx.Response) -> str | None:
    """Who held the request back to check for a browser, by the headers; None if nobody says so."""
    return next((name for header, name in _CHALLENGE_HEADERS.items() if header in response.headers), None)


def retry_after_seconds(value: str, now: datetime) -> int | None:
    """The seconds in a Retry-After header, which may be a date; None if there is nothing to wait for."""
    seconds = math.ceil(parse_retry_after(value, now) or 0)
    return seconds if 0 < seconds <= MAX_RETRY_SECONDS else None


def _duration(seconds: int) -> str:
    if seconds <= 120:
        return f"{seconds} seconds"
    minutes = math.ceil(seconds / 60)
    return f"{minutes} minutes" if minutes <= 120 else f"{math.ceil(minutes / 60)} hours"
