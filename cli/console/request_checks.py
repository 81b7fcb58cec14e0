"""Which requests the console server takes: those of its own pages, with its token.

Any page that a browser shows may send requests to loopback, and a name that its owner lets point to loopback
(DNS rebinding) even makes them requests of the same origin. So the names in Host and Origin are checked, and
requests for data need a token that only the address of the console has.
"""

import hmac
from http import HTTPStatus
from typing import Final

from werkzeug.wrappers import Request

from cli.console.responses import Refused
from local.http_server import HOST

TOKEN_HEADER: Final = "X-Console-Token"  # noqa: S105  # a name


def check_host(request: Request, port: int) -> None:
    """Raise Refused for a name of the server that is not one of loopback."""
    if request.headers.get("Host", "").lower() not in _hosts(port):
        detail = f"this server is {HOST}:{port}; it serves no other name"
        raise Refused(HTTPStatus.MISDIRECTED_REQUEST, detail)


def check_caller(request: Request, port: int, token: str) -> None:
    """Raise Refused for a request that another page sends, or that has not the token."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
    other_origin = origin is not None and origin.lower() not in {f"http://{host}" for host in _hosts(port)}
    if other_origin or site not in ("same-origin", "none"):
        raise Refused(HTTPStatus.FORBIDDEN, "requests of other pages are refused")
    given = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(given.encode(), token.encode()):
        detail = (
            f"the header {TOKEN_HEADER} has not the token of this server: open the address that it prints"
        )
        raise Refused(HTTPStatus.FORBIDDEN, detail)


def _hosts(port: int) -> tuple[str, str]:
    return f"{HOST}:{port}", f"localhost:{port}"
