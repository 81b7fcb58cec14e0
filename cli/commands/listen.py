"""`upcall listen`: stands for the application that is called back, and prints what arrives."""

import json
import signal
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console
from werkzeug.wrappers import Request, Response

from cli.errors import Problem
from cli.terminal.render import print_json
from local.config import CALLBACK_SECRET
from local.http_server import HttpServer, PortTaken
from upcall.web.standard_webhooks import signature

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def listen(port: int, *, out: Console, err: Console, as_json: bool) -> None:
    """Take callbacks on a port of loopback until SIGINT or SIGTERM. Raises Problem if the port is taken."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())

    try:
        server = HttpServer(receiver(out, as_json=as_json), port)
    except PortTaken as error:
        raise Problem(f"{error}: choose another with --port") from error
    err.print(f"Listening: send runs with callback_url {server.url}/\nStop: Ctrl-C", soft_wrap=True)
    stop.wait()
    server.stop()


def receiver(out: Console, *, as_json: bool) -> "WSGIApplication":
    """Prints each callback, and answers 204, or 401 to one that is not signed as the laptop cloud signs."""

    @Request.application
    def take(request: Request) -> Response:
        body = request.get_data()
        id_, timestamp, given = (request.headers.get(name, "") for name in HEADERS)
        signed = given == signature(CALLBACK_SECRET, id_, timestamp, body)
        _print(out, request.path, body, signed=signed, as_json=as_json)
        return Response(status=204 if signed else 401)

    return take


def _print(out: Console, path: str, body: bytes, *, signed: bool, as_json: bool) -> None:
    told = _told(body)
    if as_json:
        print_json(out, {"path": path, "signed": signed, "body": told})
        return
    data = _fields(told, "data")
    words = data.get("message_excerpt") or _fields(data, "failure").get("message") or ""
    seal = "signed" if signed else "NOT SIGNED by the laptop cloud's secret"
    out.print(
        f"{datetime.now():%H:%M:%S}  {told.get('type', '?')}  {data.get('run_id', '?')}  {seal}",
        style="green" if signed else "red",
        soft_wrap=True,
        markup=False,
    )
    out.print(f"          {str(words)[:200]}", soft_wrap=True, markup=False)


def _told(body: bytes) -> dict[str, Any]:
    """The object in a body, in text that can be printed; an empty one where there is none."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        told = json.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _fields(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}
