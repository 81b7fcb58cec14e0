"""API Gateway with IAM authorisation, on loopback: what is not signed as AWS wants it does not get in.

A signature is checked as AWS checks it, from what came over the wire: the query is decoded and spelt
anew, the body is hashed, the time is compared. What gets in is handed on to an API that asks no questions.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import unquote

import httpx
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer

AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/(?P<scope>[^,]+), "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>[0-9a-f]{64})"
)
PATIENCE = timedelta(minutes=5)

REGION = "eu-central-1"
CALLER = Credentials("AKIDCALLER", "a secret/of+the caller's")

LOST = 0
"""In place of a status: the connection is cut."""


@dataclass
class Gateway:
    """A WSGI application. `let_in` and `refused` are the requests, `METHOD /path?query`, in the order of time.

    `faults` are statuses to answer with after the work was done, one for each request that gets in; None
    leaves an answer as it is.
    """

    api: str
    caller: Credentials
    url: str = ""
    let_in: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    faults: list[int | None] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer a request (WSGI)."""
        request = Request(environ)
        target: str = environ["RAW_URI"]
        body = request.get_data()
        if not _signed(request, target, body, self.caller):
            self.refused.append(f"{request.method} {target}")
            return Response('{"message":"Forbidden"}', 403)(environ, start_response)
        self.let_in.append(f"{request.method} {target}")
        self.headers.append(dict(request.headers))
        kept = {k: v for k, v in request.headers.items() if k in ("Content-Type", "Idempotency-Key")}
        answer = httpx.request(
            request.method, self.api + target, content=body, headers=kept, timeout=30, trust_env=False
        )
        fault = self.faults.pop(0) if self.faults else None
        if fault == LOST:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        elif fault is not None:
            return Response('{"message":"Service Unavailable"}', fault)(environ, start_response)
        return Response(answer.content, answer.status_code)(environ, start_response)


@contextmanager
def gateway(api: str, caller: Credentials = CALLER) -> Iterator[Gateway]:
    """Serve a gateway in front of an API, for one caller."""
    app = Gateway(api, caller)
    server = HttpServer(app)
    app.url = server.url
    try:
        yield app
    finally:
        server.stop()


def _signed(request: Request, target: str, body: bytes, caller: Credentials) -> bool:
    """Whether the request bears the signature that this caller would put on it, for this region, now."""
    found = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        return False
    time = request.headers.get("X-Amz-Date", "")
    signed = found["headers"].split(";")
    told = {name.lower(): value for name, value in request.headers.items()}
    must = {"host", "x-amz-date"} | ({"x-amz-security-token"} if caller.token else set())
    if not must <= set(signed) <= set(told) or told.get("x-amz-security-token") != caller.token:
        return False
    age = datetime.now(UTC) - datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(age) > PATIENCE:
        return False
    path, _, query = target.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    again = AWSRequest(
        request.method,
        f"http://{request.host}{path}",
        {name: told[name] for name in signed},
        body,
        {unquote(name): unquote(value) for name, _, value in pairs},
    )
    again.context["timestamp"] = time
    auth = SigV4Auth(caller, "execute-api", REGION)
    due = auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)
    return (found["key"], found["scope"], found["signature"]) == (
        caller.access_key,
        auth.credential_scope(again),
        due,
    )
