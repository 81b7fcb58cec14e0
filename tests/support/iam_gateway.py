"""An API Gateway with IAM authorization, on loopback: it forwards only what is signed correctly.

A signature is verified as AWS does it, from the request that was received: the query is decoded and encoded
again, the body is hashed, the time is compared. An accepted request is forwarded to an API without an authorizer.
"""

import re
import socket
import threading
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
MAX_AGE = timedelta(minutes=5)
TIMEOUT_SECONDS = 30

REGION = "eu-central-1"
CALLER = Credentials("AKIDCALLER", "a secret/of+the caller's")

DROPPED = 0
"""In place of a status: the connection is closed without a response."""


@dataclass
class IamGateway:
    """A WSGI application. `accepted` and `rejected` are requests as `METHOD /path?query`, in order of time.

    `faults` are statuses to respond with after the API has done its work, one for each accepted request.
    """

    api: str
    caller: Credentials
    url: str = ""
    accepted: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    faults: list[int] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for_request(self, request: str) -> None:
        """Wait until a request was accepted. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: request in self.accepted, TIMEOUT_SECONDS):
                raise TimeoutError(f"{request} was not received within {TIMEOUT_SECONDS} seconds")

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Respond to a request (WSGI)."""
        request = Request(environ)
        target: str = environ["RAW_URI"]
        body = request.get_data()
        if not _is_signed(request, target, body, self.caller):
            self.rejected.append(f"{request.method} {target}")
            return Response('{"message":"Forbidden"}', 403)(environ, start_response)
        with self._changed:
            self.accepted.append(f"{request.method} {target}")
            self.headers.append(dict(request.headers))
            self._changed.notify_all()
        forwarded = {k: v for k, v in request.headers.items() if k in ("Content-Type", "Idempotency-Key")}
        response = httpx.request(
            request.method, self.api + target, content=body, headers=forwarded, timeout=30, trust_env=False
        )
        fault = self.faults.pop(0) if self.faults else None
        if fault == DROPPED:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        elif fault is not None:
            return Response('{"message":"Service Unavailable"}', fault)(environ, start_response)
        return Response(response.content, response.status_code)(environ, start_response)


@contextmanager
def iam_gateway(api: str, caller: Credentials = CALLER) -> Iterator[IamGateway]:
    """Serve a gateway in front of an API, for one caller."""
    app = IamGateway(api, caller)
    with HttpServer(app) as server:
        app.url = server.url
        yield app


def _is_signed(request: Request, target: str, body: bytes, caller: Credentials) -> bool:
    """Whether the request has the signature of this caller for this region and for the present time."""
    found = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if found is None:
        return False
    time = request.headers.get("X-Amz-Date", "")
    signed = found["headers"].split(";")
    received = {name.lower(): value for name, value in request.headers.items()}
    required = {"host", "x-amz-date"} | ({"x-amz-security-token"} if caller.token else set())
    if not required <= set(signed) <= set(received) or received.get("x-amz-security-token") != caller.token:
        return False
    age = datetime.now(UTC) - datetime.strptime(time, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if abs(age) > MAX_AGE:
        return False
    path, _, query = target.partition("?")
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    rebuilt = AWSRequest(
        request.method,
        f"http://{request.host}{path}",
        {name: received[name] for name in signed},
        body,
        {unquote(name): unquote(value) for name, _, value in pairs},
    )
    rebuilt.context["timestamp"] = time
    auth = SigV4Auth(caller, "execute-api", REGION)
    expected = auth.signature(auth.string_to_sign(rebuilt, auth.canonical_request(rebuilt)), rebuilt)
    return (found["key"], found["scope"], found["signature"]) == (
        caller.access_key,
        auth.credential_scope(rebuilt),
        expected,
    )
