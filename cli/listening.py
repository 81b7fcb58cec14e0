"""`upcall listen`: stands for the application that is called back, and prints what arrives."""

import json
import signal
import threading
from datetime import datetime

from rich.console import Console
from werkzeug.wrappers import Request, Response

from cli.problems import Problem
from cli.render import print_json
from local.loopback import LoopbackServer, PortTaken
from local.profile import CALLBACK_SECRET
from upcall.webhooks import signature

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def listen(port: int, *, out: Console, err: Console, as_json: bool) -> None:
    """Take callbacks on a port of loopback until SIGINT or SIGTERM. Raises Problem if the port is taken."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())

    @Request.application
    def take(request: Request) -> Response:
        body = request.get_data()
        id_, timestamp, given = (request.headers.get(name, "") for name in HEADERS)
        signed = given == signature(CALLBACK_SECRET, id_, timestamp, body)
        _print(out, request.path, body, signed=signed, as_json=as_json)
        return Response(status=204 if signed else 401)

    try:
        server = LoopbackServer(take, port)
    except PortTaken as error:
        raise Problem(f"{error}: choose another with --port") from error
    err.print(f"Listening: send runs with callback_url {server.url}/\nStop: Ctrl-C", soft_wrap=True)
    stop.wait()
    server.stop()


def _print(out: Console, path: str, body: bytes, *, signed: bool, as_json: bool) -> None:
    try:
        told = json.loads(body)
    except ValueError:
        told = {}
    if as_json:
        print_json(out, {"path": path, "signed": signed, "body": told})
        return
    data = told.get("data") or {}
    words = data.get("message_excerpt") or (data.get("failure") or {}).get("message") or ""
    seal = "signed" if signed else "NOT SIGNED by the laptop cloud's secret"
    out.print(
        f"{datetime.now():%H:%M:%S}  {told.get('type', '?')}  {data.get('run_id', '?')}  {seal}",
        style="green" if signed else "red",
        soft_wrap=True,
        markup=False,
    )
    out.print(f"          {words[:200]}", soft_wrap=True, markup=False)
