"""The site of the console as CloudFront serves it: the pages with the headers of `console.yaml`, and the API."""

import json
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Self

from console.openid_provider import AUDIENCE, CLIENT_ID, SCOPE, OpenIdProvider
from support.console_site import response_headers
from werkzeug.wrappers import Request, Response

from cli.console.api_proxy import REQUEST_HEADERS, ApiProxy
from cli.console.files import FOLDER, file_response
from cli.console.responses import Refused
from cli.console.site import SETTINGS
from local.http_server import HttpServer
from local.stack import LocalStack


class ServedSite:
    """A site whose API is the local stack, behind an authorizer for the tokens of a provider.

    `requests` are the requests to the API that it has authorized. `accepts_tokens` says whether it accepts any.
    """

    def __init__(self, stack: LocalStack, provider: OpenIdProvider) -> None:
        self.provider = provider
        self.requests: list[str] = []
        self.accepts_tokens = True
        self._headers = response_headers(provider.issuer)
        self._api = ApiProxy(stack.endpoints.api, None)
        self._http = HttpServer(self)
        self.url = self._http.url

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()
        self._api.close()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Respond to a request (WSGI)."""
        try:
            response = self._respond(Request(environ))
        except Refused as error:
            response = error.response()
        response.headers.update(self._headers)
        return response(environ, start_response)

    def _respond(self, request: Request) -> Response:
        target: str = request.environ["REQUEST_URI"]
        if request.path.startswith("/api/"):
            return self._authorized(request, target.removeprefix("/api"))
        if request.path == f"/{SETTINGS}":
            return Response(json.dumps(self._settings()), content_type="application/json")
        return file_response(FOLDER, request.path)

    def _authorized(self, request: Request, target: str) -> Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or token not in self.provider.valid or not self.accepts_tokens:
            content = json.dumps({"message": "Unauthorized"})
            return Response(content, HTTPStatus.UNAUTHORIZED, content_type="application/json")
        self.requests.append(f"{request.method} {target}")
        headers = {name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers}
        return self._api.forward(request.method, target, headers, request.get_data())

    def _settings(self) -> dict[str, str]:
        issuer = self.provider.issuer
        sign_in = {"issuer": issuer, "client_id": CLIENT_ID, "scope": SCOPE, "audience": AUDIENCE}
        return {"stack": "upcall-prod", "region": "eu-central-1", **sign_in}
