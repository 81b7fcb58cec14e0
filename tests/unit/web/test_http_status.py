"""What the model is told about responses that are no page."""

from datetime import UTC, datetime

import httpx
import pytest

from upcall.web.http_status import challenger, retry_after_seconds, status_error

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Wed, 25 Nov 2026 12:01:30 GMT", 90),
        ("Wednesday, 25-Nov-26 12:01:30 GMT", 90),
        ("Wed Nov 25 12:01:30 2026", 90),
        ("Wed, 25 Nov 2026 11:00:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("9" * 50, None),
        ("9" * 5000, None),
        ("Wed, 99 Nov 2026 12:00:00 GMT", None),
        ("Wed, 25 Nov 99999 12:00:00 GMT", None),
        ("\u0661\u0662", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, expected: int | None) -> None:
    assert retry_after_seconds(value, NOW) == expected


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (404, {}, "the server returned 404 Not Found"),
        (
            429,
            {"retry-after": "30"},
            "429 Too Many Requests; it asks to wait 30 seconds before the next request",
        ),
        (503, {"retry-after": "600"}, "503 Service Unavailable; it asks to wait 10 minutes"),
        (503, {"retry-after": "7201"}, "it asks to wait 3 hours"),
        (503, {"retry-after": "soon"}, "the server returned 503 Service Unavailable"),
        (401, {}, "401 Unauthorized: the page needs a login, which this tool does not have"),
        (403, {}, "403 Forbidden: the site does not let this tool in; use another source"),
        (204, {}, "204 No Content: the page is empty; there is nothing to read"),
        (206, {}, "206 Partial Content: this is only a part of the document"),
    ],
)
def test_a_status_is_told_with_advice_and_with_the_time_to_wait(
    status: int, headers: dict[str, str], expected: str
) -> None:
    message = status_error(httpx.Response(status, headers=headers), NOW)

    assert expected in message
    assert ("wait" in message) == ("wait" in expected)


@pytest.mark.parametrize(
    ("header", "vendor"),
    [
        ("cf-mitigated", "Cloudflare"),
        ("X-Amzn-Waf-Action", "AWS WAF"),
        ("X-Vercel-Mitigated", "Vercel"),
        ("cf-ray", None),
    ],
)
def test_a_check_for_browsers_is_recognised_by_its_header(header: str, vendor: str | None) -> None:
    assert challenger(httpx.Response(200, headers={header: "challenge"})) == vendor
