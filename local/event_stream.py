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

    With the parameter `text_after`, pieces of the text are sent as well, as events of the type `text`. The id
    of an event then has the numbers of both, such as 7:12. An error is responded as it is. A client whose
    connection ended repeats the request by itself; if nothing follows the last event, it gets 204 and stops.
    """
    wants_text = "text_after" in request.args
    known = (request.headers.get("Last-Event-ID") or "").partition(":")
    position = {"after": known[0] or request.args.get("after") or "0"}
    if wants_text:
        position["text_after"] = known[2] or request.args["text_after"]
    parameters = {name: value for name, value in request.args.items() if name == "limit"}
    first = invoke({**parameters, **position, "wait": "0"})
    if first.status_code != 200:
        return first
    page = json.loads(first.get_data())
    if page["ended"] and not page["events"] and not page.get("text"):
        return Response(status=204)
    events = _events(page, position, parameters, invoke)
    return Response(events, mimetype=MIMETYPE, headers={"Cache-Control": "no-store"})


def _events(
    page: Any, position: dict[str, str], parameters: Mapping[str, str], invoke: Invoke
) -> Iterator[str]:
    while True:
        yield from _messages(page, position)
        if page["ended"]:
            return
        if not page["events"] and not page.get("text"):
            yield ": still there\n\n"
        response = invoke({**parameters, **position, "wait": str(WAIT_SECONDS)})
        if response.status_code != 200:  # the client repeats the request, and sees the error
            return
        page = json.loads(response.get_data())


def _messages(page: Any, position: dict[str, str]) -> Iterator[str]:
    """The text and the events of a page, in this order: the text was written before the run ended."""
    for kind, number, content in (
        *(("text", "text_after", piece) for piece in page.get("text") or ()),
        *((event["type"], "after", event) for event in page["events"]),
    ):
        position[number] = str(content["number"])
        yield f"id: {':'.join(position.values())}\nevent: {kind}\ndata: {json.dumps(content)}\n\n"
