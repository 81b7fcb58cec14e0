"""Responses of the console server. All have the headers that keep other pages out."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from werkzeug.wrappers import Response

PROBLEM_JSON: Final = "application/problem+json"

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Refused(Exception):
    """A request that is answered with a problem document (RFC 9457)."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = headers or {}

    def response(self) -> Response:
        """The problem document."""
        status = self.status
        document = {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": str(self),
        }
        return Response(json.dumps(document), status, dict(self.headers), content_type=PROBLEM_JSON)


def json_response(content: Any) -> Response:
    """A successful response in JSON."""
    return Response(json.dumps(content), content_type="application/json")


def not_found() -> Refused:
    """The error for a path that is nothing."""
    return Refused(HTTPStatus.NOT_FOUND, "there is nothing at this address")


def check_method(method: str, *allowed: str) -> None:
    """Raise Refused for a method that is not allowed."""
    if method not in allowed:
        detail = f"{method} is not allowed here"
        raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": ", ".join(allowed)})
