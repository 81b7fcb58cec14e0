"""Server-sent events on the route of a run's events, for callers that accept them.

API Gateway's HTTP APIs cannot stream, so there the route is a long poll only. Here it is repeated, as one
(https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from werkzeug.wrappers import Request, Response

PATH = "/runs/{run_id}/events"
MIMETYPE = "text/event-stream"
WAIT_SECONDS = 20

Invoke = Callable[[Mapping[str, str]], Response]
"""Responds to the same request with other query parameters."""


def wants_stream(request: Request, path: str) -> bool:
    """Whether this is a request for events whose caller accepts a stream."""
    return path == PATH and request.method == "GET" and MIMETYPE in request.accept_mimetypes.values()


def stream_events(request: Request, invoke: Invoke) -> Response:
    """The events after `Last-Event-ID` or the parameter `after`, as they happen, until the run has ended.

    An error is responded as it is. A client whose connection ended repeats the request by itself; if nothing
    follows the last event, it gets 204 and stops.
    """
    after = request.headers.get("Last-Event-ID") or request.args.get("after") or "0"
    parameters = {name: value for name, value in request.args.items() if name == "limit"}
    first = invoke({**parameters, "after": after, "wait": "0"})
    if first.status_code != 200:
        return first
    page = json.loads(first.get_data())
    if page["ended"] and not page["events"]:
        return Response(status=204)
    return Response(
        _events(page, parameters, invoke), mimetype=MIMETYPE, headers={"Cache-Control": "no-store"}
    )


def _events(page: Any, parameters: Mapping[str, str], invoke: Invoke) -> Iterator[str]:
    while True:
        for event in page["events"]:
            yield f"id: {event['number']}\nevent: {event['type']}\ndata: {json.dumps(event)}\n\n"
        if page["ended"]:
            return
        if not page["events"]:
            yield ": still there\n\n"
        response = invoke({**parameters, "after": str(page["next"]), "wait": str(WAIT_SECONDS)})
        if response.status_code != 200:  # the client repeats the request, and sees the error
            return
        page = json.loads(response.get_data())
