"""A patch that sends the requests of boto3's clients to moto without HTTP. Fits botocore 1.44 and moto 5.2.5.

Client and server are in one process. A request over HTTP took two threads, a socket and two parsers of HTTP,
and a third of the processor time of a run. moto gets the same WSGI request as from its server, and other
processes still reach it over HTTP.
"""

import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSPreparedRequest, AWSRequest, AWSResponse
from botocore.endpoint import Endpoint
from moto.core.botocore_stubber import MockRawResponse
from werkzeug.exceptions import InternalServerError
from werkzeug.http import http_date
from werkzeug.test import run_wsgi_app

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

_log = logging.getLogger("werkzeug")

AUDIT_EVENT = "upcall.local.request"
"""Of `sys.addaudithook`. Its argument is the request's `X-Amz-Target`, or an empty string."""

_applications: dict[str, "WSGIApplication"] = {}
"""By the host and port of their server."""


@contextmanager
def requests_in_process(host: str, app: "WSGIApplication") -> Iterator[None]:
    """Let clients of this process call `app` instead of its server at `host`, which has its port.

    The thread of the client runs the application, in a context of its own, as a thread of the server does:
    the application does not see the environment of a function that makes a request. An exception becomes a
    response 500. Each request raises the audit event AUDIT_EVENT, as a socket would raise its own.
    """
    Endpoint._send = _send  # type: ignore[attr-defined]
    SigV4Auth.add_auth = _add_auth  # type: ignore[method-assign]
    _applications[host] = app
    try:
        yield
    finally:
        del _applications[host]


def _send(self: Endpoint, request: AWSPreparedRequest) -> AWSResponse:
    app = _applications.get(urlsplit(request.url).netloc)
    if app is None:
        return _send_over_http(self, request)  # type: ignore[no-any-return]
    environ = _environ(request)
    sys.audit(AUDIT_EVENT, environ.get("HTTP_X_AMZ_TARGET", ""))
    return Context().run(_respond, app, environ, request)


def _respond(app: "WSGIApplication", environ: "WSGIEnvironment", request: AWSPreparedRequest) -> AWSResponse:
    try:
        chunks, status, headers = run_wsgi_app(app, environ, buffered=True)
    except Exception:
        _log.exception("Error on request %s %s", request.method, request.url)
        chunks, status, headers = run_wsgi_app(InternalServerError(), environ, buffered=True)
    body = b"" if request.method == "HEAD" else b"".join(chunks)
    headers.setdefault("Date", http_date())
    response = MockRawResponse(body)
    return AWSResponse(request.url, int(status.split()[0]), headers, response)  # type: ignore[arg-type]


def _environ(request: AWSPreparedRequest) -> "WSGIEnvironment":
    """The WSGI request that moto's server makes of an HTTP request."""
    url = urlsplit(request.url)
    body = _read_body(request.body)
    target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
    environ: WSGIEnvironment = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path or "/").decode("latin-1"),
        "QUERY_STRING": url.query,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "REMOTE_ADDR": url.hostname,
        "SERVER_NAME": url.hostname,
        "SERVER_PORT": str(url.port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc,
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in request.headers.items():
        key = name.upper().replace("-", "_")
        if "_" not in name and key not in ("CONTENT_LENGTH", "TRANSFER_ENCODING"):
            text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
            environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = text
    return environ


def _read_body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    if hasattr(body, "read"):  # that of an upload iterates over nothing
        content: bytes = body.read()
        return content
    return b"".join(body)


def _add_auth(self: SigV4Auth, request: AWSRequest) -> None:
    """Say who sends a request, and to which service. moto does not check the signature, so there is none.

    Requests to S3 are signed: moto reads from the headers of their signature how the body is encoded.
    """
    is_local = urlsplit(request.url).netloc in _applications
    if type(self) is not SigV4Auth or self.credentials is None or not is_local:
        _sign(self, request)
        return
    region, service = self._region_name, self._service_name  # type: ignore[attr-defined]
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={self.credentials.access_key}/20000101/{region}/"
        f"{service}/aws4_request, SignedHeaders=host, Signature=none"
    )


_send_over_http = Endpoint._send  # type: ignore[attr-defined]
_sign = SigV4Auth.add_auth
