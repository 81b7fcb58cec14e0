"""Streams of the OpenAI server: server-sent events with JSON objects, read by the SDK.

They are read in a thread of its own, so that nobody waits longer than wanted for a server that is silent.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import copy_context
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from upcall.domain.errors import TransientError
from upcall.run_apis import client
from upcall.run_apis.base import request_seconds

if TYPE_CHECKING:
    from upcall.run_apis.openai_sdk import Stream

Event = Mapping[str, Any]

KEEP_OPEN_SECONDS = 10.0
"""How long the stream of a response that was created is read on. A response whose stream was closed at its
first event stayed queued for ever; after 2 s it did not: https://community.openai.com/t/1382584."""


def get_events(path: str, params: Mapping[str, str | int], seconds: float) -> Iterator[Event]:
    """The events of a stream below the base URL that come within so many seconds.

    Raises TransientError or RequestRejected.
    """
    options: Any = {"params": params, "timeout": request_seconds(client.TIMEOUT_SECONDS)}

    def open_stream() -> "Stream[object]":
        from upcall.run_apis.openai_sdk import Stream

        return client.sdk_client().get(
            path, cast_to=object, stream=True, stream_cls=Stream[object], options=options
        )

    with client.translate_errors(f"GET {path}"):
        yield from _read(open_stream, seconds)


def create(path: str, body: Mapping[str, Any]) -> Event:
    """POST a request whose response is a stream, and return the first event. The server goes on without us.

    A server that does not stream sends a JSON object instead, which is returned as an event's `response`.
    Raises TransientError or RequestRejected. What the response says of the server's rate limits is recorded.
    """
    seconds = request_seconds(client.TIMEOUT_SECONDS)
    opened: list[Stream[object]] = []

    def open_stream() -> "Stream[object]":
        from upcall.run_apis.openai_sdk import Stream

        stream = client.sdk_client().post(
            path,
            cast_to=object,
            body={**body, "stream": True},
            stream=True,
            stream_cls=Stream[object],
            options={"timeout": seconds},
        )
        opened.append(stream)
        return stream

    request = f"POST {path}"
    with client.record_refusals(), client.translate_errors(request):
        first = next(_read(open_stream, seconds, KEEP_OPEN_SECONDS), None)
    if not opened:
        raise TransientError(f"{request}: no answer (the stream did not begin)")
    response = opened[0].response
    client.record_limits(response.headers)
    if first is not None and first.get("type") == "error":
        raise TransientError(f"{request}: the stream began with an error", detail=str(first.get("message")))
    if first is not None:
        return first
    try:
        return {"response": json.loads(response.content)}
    except (ValueError, RuntimeError):  # it is no JSON, or was not read because it is a stream without events
        raise TransientError(f"{request}: the server answered {response.status_code}, but nothing") from None


def _read(
    open_stream: "Callable[[], Stream[object]]", seconds: float, keep_open_seconds: float = 0
) -> Iterator[Event]:
    """The events of a stream until it ends, or for so many seconds. It stays open as long as it must."""
    from upcall.run_apis.bounded_client import UnreadableResponse
    from upcall.run_apis.openai_sdk import APIError

    start = time.monotonic()
    events: SimpleQueue[Event | Exception | None] = SimpleQueue()
    left = threading.Event()

    def read() -> None:
        try:
            with open_stream() as stream:
                for event in stream:
                    if isinstance(event, Mapping):
                        events.put(event)
                    if left.is_set() and time.monotonic() > start + keep_open_seconds:
                        return
            events.put(None)
        except Exception as error:  # raised again in the thread that waits
            events.put(error)

    threading.Thread(
        target=copy_context().run, args=(read,), daemon=True, name=threading.current_thread().name
    ).start()
    try:
        while (seconds_left := start + seconds - time.monotonic()) > 0:
            try:
                event = events.get(timeout=seconds_left)
            except Empty:
                return
            if event is None:
                return
            if isinstance(event, APIError | UnreadableResponse):
                raise event
            if isinstance(event, Exception):  # what came is no stream of JSON, or the connection broke
                raise TransientError(f"the stream cannot be read ({type(event).__name__})") from event
            yield event
    finally:
        left.set()
