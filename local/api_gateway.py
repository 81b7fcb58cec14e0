"""API Gateway's HTTP API: an HTTP server that invokes functions with payload version 2.0."""

import base64
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from local.event_stream import stream_events, wants_stream
from local.lambda_runtime import FunctionRunner, Throttled
from local.template import Cors, Route

MAX_BODY_BYTES = 10_000_000
"""The quota of an HTTP API for the payload of a request."""

_TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript")


class HttpApi:
    """A WSGI application with these routes. `functions` are the functions' names by their logical ids.

    With `cors`, pages of its origins may use the API, and all OPTIONS requests are answered.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        functions: Mapping[str, str],
        runner: FunctionRunner,
        cors: Cors | None = None,
    ) -> None:
        self._functions, self._runner, self._cors = functions, runner, cors
        self._map = Map(
            Rule(
                route.path.replace("{", "<").replace("}", ">"),
                methods=[route.method],
                endpoint=route,
            )
            for route in routes
        )

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Respond to a request (WSGI)."""
        request = Request(environ)
        if self._cors is None:
            return self._respond(request)(environ, start_response)
        is_preflight = request.method == "OPTIONS"
        response = Response(status=204) if is_preflight else self._respond(request)
        origin = request.headers.get("Origin", "")
        if origin in self._cors.origins:
            response.headers.update(_cors_headers(self._cors, origin, is_preflight=is_preflight))
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        try:
            matched, parameters = self._map.bind_to_environ(request.environ).match()
        except HTTPException:
            return _gateway_response(404, "Not Found")
        if (request.content_length or 0) > MAX_BODY_BYTES:
            return _gateway_response(413, "Request Entity Too Large")
        route: Route = matched
        event = _event(request, route, parameters)
        if wants_stream(request, route.path):
            return stream_events(request, lambda query: self._invoke(route, _with_query(event, query)))
        return self._invoke(route, event)

    def _invoke(self, route: Route, event: Mapping[str, Any]) -> Response:
        try:
            result = self._runner.invoke(self._functions[route.function], json.dumps(event))
        except Throttled:
            return _gateway_response(503, "Service Unavailable")
        if result.is_error:
            return _gateway_response(500, "Internal Server Error")
        return _function_response(json.loads(result.payload))


def _cors_headers(cors: Cors, origin: str, *, is_preflight: bool) -> dict[str, str]:
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ",".join(cors.exposed_headers),
        "Vary": "Origin",
    }
    if is_preflight:
        headers |= {
            "Access-Control-Allow-Methods": ",".join(cors.methods),
            "Access-Control-Allow-Headers": ",".join(cors.headers),
            "Access-Control-Max-Age": str(cors.max_age_seconds),
        }
    return headers


def _event(request: Request, route: Route, parameters: Mapping[str, Any]) -> dict[str, Any]:
    body, is_base64 = _body(request)
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
            "apiId": "local",
            "domainName": request.host,
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": "HTTP/1.1",
                "sourceIp": request.remote_addr,
                "userAgent": request.user_agent.string,
            },
            "requestId": f"local-{time.time_ns()}",
            "routeKey": f"{route.method} {route.path}",
            "stage": "$default",
            "timeEpoch": time.time_ns() // 1_000_000,
        },
        **({"body": body} if body else {}),
        "isBase64Encoded": is_base64,
    }


def _with_query(event: Mapping[str, Any], query: Mapping[str, str]) -> dict[str, Any]:
    """The event of a request that comes now, with other query parameters."""
    context = {**event["requestContext"], "timeEpoch": time.time_ns() // 1_000_000}
    changed = {"queryStringParameters": dict(query), "rawQueryString": urlencode(query)}
    return {**event, **changed, "requestContext": context}


def _body(request: Request) -> tuple[str, bool]:
    """The body as text, and whether that is base64."""
    data = request.get_data()
    if request.mimetype.startswith(_TEXT_TYPES) or request.mimetype.endswith("+json") or not data:
        try:
            return data.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(data).decode(), True


def _function_response(result: Mapping[str, Any]) -> Response:
    body: str | bytes = result.get("body") or ""
    if result.get("isBase64Encoded"):
        body = base64.b64decode(body)
    return Response(body, status=result["statusCode"], headers=dict(result.get("headers") or {}))


def _gateway_response(status: int, message: str) -> Response:
    """A response of API Gateway itself."""
    return Response(json.dumps({"message": message}), status, content_type="application/json")
