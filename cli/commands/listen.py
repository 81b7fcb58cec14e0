"""`upcall listen`."""

import json
import signal
import threading
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import JsonOption

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from rich.console import Console

WEBHOOK_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")
MAX_PRINTED_CHARACTERS = 200


def listen(
    port: Annotated[int, typer.Option(help="The port that receives callbacks.")] = 8784,
    as_json: JsonOption = False,
) -> None:
    """Receive and print the callbacks of runs on the local stack.

    Their signatures are verified.
    """
    from cli.terminal.console import err, out
    from local.http_server import HttpServer, PortInUse

    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    try:
        server = HttpServer(callback_receiver(out, as_json=as_json), port)
    except PortInUse as error:
        raise CommandError(f"{error}: choose another one with --port") from error
    err.print(f"Listening: start runs with callback_url {server.url}/\nStop: Ctrl-C", soft_wrap=True)
    stop.wait()
    server.stop()


def callback_receiver(out: "Console", *, as_json: bool) -> "WSGIApplication":
    """An application that prints each callback. It responds with 204, or with 401 to a wrong signature."""
    from werkzeug.wrappers import Request, Response

    from local.config import CALLBACK_SECRET
    from upcall.web.standard_webhooks import signature

    @Request.application
    def receive(request: Request) -> Response:
        body = request.get_data()
        id_, timestamp, received = (request.headers.get(name, "") for name in WEBHOOK_HEADERS)
        signed = received == signature(CALLBACK_SECRET, id_, timestamp, body)
        _print_callback(out, request.path, body, signed=signed, as_json=as_json)
        return Response(status=204 if signed else 401)

    return receive


def _print_callback(out: "Console", path: str, body: bytes, *, signed: bool, as_json: bool) -> None:
    from cli.terminal.console import print_json

    content = _parse_object(body)
    if as_json:
        print_json(out, {"path": path, "signed": signed, "body": content})
        return
    data = _object_field(content, "data")
    text = data.get("message_excerpt") or _object_field(data, "failure").get("message") or ""
    verdict = "signed" if signed else "NOT SIGNED with the local stack's secret"
    out.print(
        f"{datetime.now():%H:%M:%S}  {content.get('type', '?')}  {data.get('run_id', '?')}  {verdict}",
        style="green" if signed else "red",
        soft_wrap=True,
        markup=False,
    )
    out.print(f"          {str(text)[:MAX_PRINTED_CHARACTERS]}", soft_wrap=True, markup=False)


def _parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body, as text that can be encoded; an empty one if the body is anything else."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False)
        content = json.loads(text.encode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _object_field(content: dict[str, Any], name: str) -> dict[str, Any]:
    value = content.get(name)
    return value if isinstance(value, dict) else {}
