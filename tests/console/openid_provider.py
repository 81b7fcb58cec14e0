"""A provider of OpenID Connect, at which somebody is signed in already."""

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import urlencode

from werkzeug.utils import redirect
from werkzeug.wrappers import Request, Response

from cli.console.responses import json_response
from local.http_server import HttpServer

CLIENT_ID = "console-of-a-test"
SCOPE = "openid upcall/read"
AUDIENCE = "https://api.example.com/"


@dataclass
class OpenIdProvider:
    """Gives tokens to the client CLIENT_ID by the code flow with PKCE.

    `valid` are the tokens that have not expired. `authorizations` and `token_requests` are the requests so far.
    `refusal` is the error that it answers an authorization with, `configuration` what differs in its own.
    `refreshes` says whether it gives refresh tokens.
    """

    valid: set[str] = field(default_factory=set)
    authorizations: list[dict[str, str]] = field(default_factory=list)
    token_requests: list[dict[str, str]] = field(default_factory=list)
    refusal: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, str] = field(default_factory=dict)
    refreshes: bool = False

    def __post_init__(self) -> None:
        self._codes: dict[str, dict[str, str]] = {}
        self._refresh_tokens: set[str] = set()
        self._http = HttpServer(self)
        self.issuer = f"{self._http.url}/tenant"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.stop()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Respond to a request (WSGI)."""
        request = Request(environ)
        if request.path == "/tenant/.well-known/openid-configuration":
            response = json_response(self._configuration())
        elif request.path == "/tenant/authorize":
            response = self._authorize(request.args.to_dict())
        elif request.path == "/tenant/token" and request.method == "POST":
            response = self._give_tokens(request.form.to_dict())
        else:
            response = Response(status=HTTPStatus.NOT_FOUND)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response(environ, start_response)

    def expire_tokens(self) -> None:
        """Let the tokens expire that it has given. Refresh tokens stay valid."""
        self.valid.clear()

    def revoke_refresh_tokens(self) -> None:
        """Accept none of the refresh tokens that it has given."""
        self._refresh_tokens.clear()

    def _configuration(self) -> dict[str, str]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            **self.configuration,
        }

    def _authorize(self, parameters: dict[str, str]) -> Response:
        self.authorizations.append(parameters)
        expected = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "scope": SCOPE,
            "audience": AUDIENCE,
            "code_challenge_method": "S256",
        }
        if not expected.items() <= parameters.items():
            return Response(f"not as expected: {parameters}", HTTPStatus.BAD_REQUEST)
        code = secrets.token_urlsafe()
        self._codes[code] = parameters
        answer = {**(self.refusal or {"code": code}), "state": parameters["state"]}
        return redirect(f"{parameters['redirect_uri']}?{urlencode(answer)}")

    def _give_tokens(self, fields: dict[str, str]) -> Response:
        self.token_requests.append(fields)
        granted = fields["client_id"] == CLIENT_ID and (
            self._redeem_code(fields)
            if fields["grant_type"] == "authorization_code"
            else self._refresh(fields)
        )
        if not granted:
            refused = json_response({"error": "invalid_grant", "error_description": "It is not valid."})
            refused.status_code = HTTPStatus.BAD_REQUEST
            return refused
        token, refresh_token = secrets.token_urlsafe(), secrets.token_urlsafe()
        self.valid.add(token)
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 300}
        if self.refreshes:
            self._refresh_tokens.add(refresh_token)
            answer["refresh_token"] = refresh_token
        return json_response(answer)

    def _redeem_code(self, fields: dict[str, str]) -> bool:
        asked = self._codes.pop(fields["code"], None)
        digest = hashlib.sha256(fields["code_verifier"].encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return asked is not None and (asked["code_challenge"], asked["redirect_uri"]) == (
            challenge,
            fields["redirect_uri"],
        )

    def _refresh(self, fields: dict[str, str]) -> bool:
        """Each refresh token is good for once."""
        token = fields["refresh_token"]
        is_valid = token in self._refresh_tokens
        self._refresh_tokens.discard(token)
        return is_valid
