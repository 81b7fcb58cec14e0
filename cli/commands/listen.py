"""`upcall listen`."""

import json
import signal
import threading
import time
from collections import OrderedDict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.errors import CommandError
from cli.options import JsonOption

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from rich.console import Console

MAX_PRINTED_CHARACTERS = 200

MAX_REMEMBERED_IDS = 10_000
"""Of messages, to recognise one that is delivered again."""


def listen(
    port: Annotated[int, typer.Option(help="The port that receives callbacks.")] = 8784,
    as_json: JsonOption = False,
) -> None:
    """Receive and print the callbacks of runs on the local stack.

    Their signatures and times are verified. A callback that is rejected is printed with the reason.
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
    """An application that prints each callback. It responds with 204, or with 401 to an invalid one."""
    from werkzeug.wrappers import Request, Response

    from local.config import CALLBACK_SECRET
    from upcall.web.standard_webhooks import rejection_reason

    received_ids = _ReceivedIds()

    @Request.application
    def receive(request: Request) -> Response:
        body = request.get_data()
        reason = rejection_reason(CALLBACK_SECRET, dict(request.headers), body, now=time.time())
        repeated = reason is None and received_ids.add(request.headers["webhook-id"])
        _print_callback(out, request.path, body, reason=reason, repeated=repeated, as_json=as_json)
        return Response(status=401 if reason else 204)

    return receive


class _ReceivedIds:
    """The last ids of messages, for threads."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, message_id: str) -> bool:
        """Remember an id. Returns whether it was remembered before."""
        with self._lock:
            if message_id in self._ids:
                return True
            self._ids[message_id] = None
            if len(self._ids) > MAX_REMEMBERED_IDS:
                self._ids.popitem(last=False)
            return False


def _print_callback(
    out: "Console", path: str, body: bytes, *, reason: str | None, repeated: bool, as_json: bool
) -> None:
    from cli.terminal.console import print_json

    content = _parse_object(body)
    if as_json:
        callback = {"path": path, "signed": reason is None, "repeated": repeated, "rejected": reason}
        print_json(out, {**callback, "body": content})
        return
    data = _object_field(content, "data")
    text = data.get("message_excerpt") or _object_field(data, "failure").get("message") or ""
    verdict = f"REJECTED: {reason}" if reason else "signed, delivered again" if repeated else "signed"
    out.print(
        f"{datetime.now():%H:%M:%S}  {content.get('type', '?')}  {data.get('run_id', '?')}  {verdict}",
        style="red" if reason else "green",
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
