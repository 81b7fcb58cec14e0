"""API Gateway on a laptop: an HTTP server that hands requests to functions, payload version 2.0."""

import base64
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from local.lambda_runtime import FunctionRunner
from local.template import Route

MAX_BODY_BYTES = 10_000_000
"""An HTTP API takes no more (AWS quota)."""

_TEXT = ("text/", "application/json", "application/xml", "application/javascript")


class HttpApi:
    """A WSGI application with the routes of the template. `functions` maps logical ids to names."""

    def __init__(self, routes: Iterable[Route], functions: Mapping[str, str], runner: FunctionRunner) -> None:
        self._runner = runner
        self._functions = functions
        self._map = Map(
            [
                Rule(
                    route.path.replace("{", "<").replace("}", ">"),
                    methods=[route.method],
                    endpoint=route,
                )
                for route in routes
            ]
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer a request (WSGI)."""
        return self._answer(Request(environ))(environ, start_response)

    def _answer(self, request: Request) -> Response:
        try:
            matched, parameters = self._map.bind_to_environ(request.environ).match()
        except HTTPException:
            return _message(404, "Not Found")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return _message(413, "Request Entity Too Large")
        route: Route = matched
        event = _event(request, route, parameters)
        result = self._runner.invoke(self._functions[route.function], json.dumps(event))
        if result.is_error:
            return _message(500, "Internal Server Error")
        return _response(json.loads(result.payload))


def _event(request: Request, route: Route, parameters: Mapping[str, Any]) -> dict[str, Any]:
    data = request.get_data()
    text = request.mimetype.startswith(_TEXT) or request.mimetype.endswith("+json")
    try:
        body, encoded = data.decode() if text else base64.b64encode(data).decode(), not text
    except UnicodeDecodeError:
        body, encoded = base64.b64encode(data).decode(), True
    return {
        "version": "2.0",
        "routeKey": f"{route.method} {route.path}",
        "rawPath": request.path,
        "rawQueryString": request.query_string.decode(),
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "queryStringParameters": {k: ",".join(v) for k, v in request.args.lists()},
        "pathParameters": dict(parameters),
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "laptop",
            "domainName": request.host,
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.remote_addr,
                "userAgent": request.user_agent.string,
            },
            "requestId": f"laptop-{time.time_ns()}",
            "routeKey": f"{route.method} {route.path}",
            "stage": "$default",
            "timeEpoch": time.time_ns() // 1_000_000,
        },
        **({"body": body} if data else {}),
        "isBase64Encoded": encoded and bool(data),
    }


def _response(result: Mapping[str, Any]) -> Response:
    body: str | bytes = result.get("body") or ""
    if result.get("isBase64Encoded"):
        body = base64.b64decode(body)
    headers = dict(result.get("headers") or {})
    return Response(body, status=result["statusCode"], headers=headers)


def _message(status: int, message: str) -> Response:
    """What API Gateway says when no function was asked."""
    return Response(json.dumps({"message": message}), status, content_type="application/json")
