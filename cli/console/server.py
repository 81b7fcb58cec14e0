"""The console's server on loopback: its pages, and the API of a stack with the user's credentials.

GET  /…                            the files of the console's folder
*    /api/…                        the API of the stack
GET  /console/session              which stack this is, and whose runs its callers see
GET  /console/health               dead letters, alarms, quotas, stops
POST /console/tools/{name}/call    a tool, called by hand
"""

import re
import secrets
import sys
import traceback
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self

from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.wrappers import Request, Response

from cli.console.api_proxy import METHODS, REQUEST_HEADERS, ApiProxy
from cli.console.files import FOLDER, file_response
from cli.console.health import StackHealth
from cli.console.request_checks import check_caller, check_host
from cli.console.responses import SECURITY_HEADERS, Refused, check_method, json_response, not_found
from cli.console.stack import ConsoleStack
from cli.console.tool_trial import ToolTrial
from local.http_server import HttpServer, PortInUse

CONSOLE_PORT: Final = 8784

MAX_BODY_BYTES: Final = 1_000_000
"""Of a request, as in the API."""

IDLE_SECONDS: Final = 60
"""A connection on which nothing comes for so long is closed."""

NEEDS_NAME: Final = (
    "the console was opened with the URL of an API: open it with the name of the stack for this"
)

_API = "/api"
_CONSOLE = "/console/"
_TOOL_CALL = re.compile(r"tools/(\w{1,64})/call", re.ASCII)


class ConsoleServer:
    """Serves the console of a stack until it is stopped, or its context ends.

    Without a port it is CONSOLE_PORT, or any free one if that is in use. `address` is the URL for the user's
    browser, with the token that each request for data needs. Raises PortInUse, and ClientError for invalid
    proxy settings.
    """

    def __init__(self, stack: ConsoleStack, port: int | None = None, folder: Path = FOLDER) -> None:
        self._stack = stack
        self._folder = folder
        self._token = secrets.token_urlsafe(32)
        self._api = ApiProxy(stack.api, stack.auth)
        self._health: StackHealth | None = None
        self._tools: ToolTrial | None = None
        if stack.aws_name is not None:
            self._health = StackHealth(stack.new_session(), stack.aws_name, stack.find_owner)
            self._tools = ToolTrial(stack.new_session(), stack.aws_name)
        self._http = self._serve(port)
        self.url = self._http.url
        self.address = f"{self.url}/#token={self._token}"

    def stop(self) -> None:
        """Stop serving and free the port. Requests under way are not waited for."""
        self._http.stop()
        self._api.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Respond to a request (WSGI)."""
        request = Request(environ)
        request.max_content_length = MAX_BODY_BYTES
        try:
            response = self._respond(request)
        except Refused as error:
            response = error.response()
        except RequestEntityTooLarge:
            detail = f"the body is larger than {MAX_BODY_BYTES:,} bytes"
            response = Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail).response()
        except HTTPException as error:  # a request that cannot be read, or has ended too soon
            response = Refused(HTTPStatus(error.code or 400), error.description or "").response()
        except Exception:
            traceback.print_exc(file=sys.stderr)
            response = Refused(HTTPStatus.INTERNAL_SERVER_ERROR, "a defect of the console server").response()
        response.headers.update(SECURITY_HEADERS)
        return response(environ, start_response)

    def _serve(self, port: int | None) -> HttpServer:
        if port is None:
            try:
                return HttpServer(self, CONSOLE_PORT, idle_seconds=IDLE_SECONDS)
            except PortInUse:  # the port does not matter, because the address is printed
                port = 0
        return HttpServer(self, port, idle_seconds=IDLE_SECONDS)

    def _respond(self, request: Request) -> Response:
        port = int(request.environ["SERVER_PORT"])
        check_host(request, port)
        path = request.path
        if not path.startswith((f"{_API}/", _CONSOLE)):
            check_method(request.method, "GET", "HEAD")
            return file_response(self._folder, path)
        check_caller(request, port, self._token)
        if path.startswith(_CONSOLE):
            return self._respond_itself(request, path.removeprefix(_CONSOLE))
        return self._forward(request)

    def _forward(self, request: Request) -> Response:
        check_method(request.method, *METHODS)
        target: str = request.environ["REQUEST_URI"]
        if not target.startswith(f"{_API}/"):  # the prefix itself is encoded, or it is a whole URL
            raise not_found()
        headers = {name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers}
        return self._api.forward(request.method, target.removeprefix(_API), headers, request.get_data())

    def _respond_itself(self, request: Request, path: str) -> Response:
        if path == "session":
            check_method(request.method, "GET")
            stack = self._stack
            session = {"stack": stack.name, "region": stack.region, "address": stack.api}
            return json_response({**session, "tenancy": stack.tenancy})
        if path == "health":
            check_method(request.method, "GET")
            if self._health is None:
                return json_response(_no_health(NEEDS_NAME))
            return json_response(self._health.read())
        if found := _TOOL_CALL.fullmatch(path):
            check_method(request.method, "POST")
            if self._tools is None:
                raise Refused(HTTPStatus.CONFLICT, NEEDS_NAME)
            return json_response(self._tools.call(found[1], request.get_data()))
        raise not_found()


def _no_health(reason: str) -> dict[str, Any]:
    return {"dead_letters": [], "alarms": [], "quotas": None, "stopped": [], "unknown": [reason]}
