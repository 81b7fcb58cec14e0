"""Wrong responses of an OpenAI server: statuses, bodies, encodings, delays and redirects."""

import gzip
from collections.abc import Mapping
from functools import cache

from support.hostile_server import WrongResponse, json_body

STATUSES = (400, 401, 403, 404, 409, 413, 418, 422, 429, 500, 502, 503, 504)
REDIRECTS = (301, 302, 303, 307, 308)
HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1>"

BODIES: Mapping[str, bytes] = {
    "empty": b"",
    "empty object": b"{}",
    "list": b"[]",
    "null": b"null",
    "text": b'"ok"',
    "HTML": HTML,
    "cut JSON": b'{"id": "resp_1", "status": "comp',
    "not UTF-8": b'{"id": "\xff\xfe"}',
    "NUL": b"\0" * 1000,
    "deep": b"[" * 100_000,
    "error object": json_body({"error": {"message": "model overloaded", "code": "overloaded"}}),
    "error text": json_body({"error": "model overloaded"}),
    "detail": json_body({"detail": "model overloaded"}),
    "wrong types": json_body({"id": 7, "status": ["x"], "output": "text", "data": {}, "usage": "many"}),
    "unknown status": json_body({"id": "resp_1", "status": "dreaming", "data": [{"status": "dreaming"}]}),
    "completed without output": json_body({"id": "resp_1", "status": "completed", "data": []}),
}
"""Bodies with the status 200 that are not what was asked for."""


@cache
def wrong_responses(redirect_to: str) -> Mapping[str, WrongResponse]:
    """All wrong responses by their names. Redirects lead to a server that must not be reached."""
    json_type = {"Content-Type": "application/json"}
    redirect = {"Location": f"http://{redirect_to}/v1/responses"}
    return {
        **{
            f"status {status}": WrongResponse(
                status, json_body({"error": {"message": f"wrong {status}", "code": None}}), json_type
            )
            for status in STATUSES
        },
        "quota": WrongResponse(
            429, json_body({"error": {"message": "You exceeded your quota.", "type": "insufficient_quota"}})
        ),
        "Retry-After date": WrongResponse(503, b"busy", {"Retry-After": "Wed, 21 Oct 2065 07:28:00 GMT"}),
        "Retry-After hour": WrongResponse(429, b"{}", {"Retry-After": "3600"}),
        "Retry-After now": WrongResponse(429, b"{}", {"Retry-After": "0"}),
        **{f"body {name}": WrongResponse(200, body, json_type) for name, body in BODIES.items()},
        **{f"redirect {status}": WrongResponse(status, HTML, redirect) for status in REDIRECTS},
        "20 MB": WrongResponse(200, b'{"id": "' + b"x" * 20_000_000 + b'"}', json_type),
        "gzip bomb": WrongResponse(200, _gzip_bomb(), {**json_type, "Content-Encoding": "gzip"}),
        "not gzip": WrongResponse(200, b"{}", {"Content-Encoding": "gzip"}),
        "unknown encoding": WrongResponse(200, b"{}", {"Content-Encoding": "br"}),
        "no response": WrongResponse(delay_seconds=600),
        "closed": WrongResponse(close=True),
        "broken off": WrongResponse(200, b'{"id": ', json_type, content_length=1000),
        "slow headers": WrongResponse(200, b"{}", json_type, byte_seconds=0.2, slow="headers"),
        "slow body": WrongResponse(
            200, b'{"id": "resp_1", "status": "queued"}' + b" " * 1000, byte_seconds=0.2
        ),
    }


@cache
def _gzip_bomb() -> bytes:
    return gzip.compress(b'{"id": "' + b"x" * 200_000_000 + b'"}', 1)
