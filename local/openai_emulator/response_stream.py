"""The stream of a response: its events at the times at which the model would send them.

Events are numbered from 0 on, and can be read again from any of them on, as with OpenAI
(https://platform.openai.com/docs/guides/background#streaming-a-background-response).
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Response

from local.openai_emulator.conversation import Call, Say
from local.openai_emulator.errors import ApiError
from local.openai_emulator.turn import Turn

Event = dict[str, Any]
Document = Mapping[str, Any]

STATUS_EVENTS = ("response.created", "response.queued", "response.in_progress")
"""They have the response as it stands."""

MAX_AGE_SECONDS = 300
"""A response that is older cannot be streamed any more: https://github.com/openai/openai-python/issues/2828."""

POLL_SECONDS = 0.02
"""How often a stream looks whether its response was cancelled."""

WORDS = re.compile(r"\s*\S+\s*")


def check_streamable(fields: Mapping[str, Any], turn: Turn) -> None:
    """Raises ApiError for a response that was not created with `stream`, or is too old."""
    if not fields.get("stream"):
        message = "This response cannot be streamed because it was not created with stream=true."
        raise ApiError(400, message, param="stream")
    if time.time() - turn.created_at > MAX_AGE_SECONDS:
        message = "This response can no longer be streamed because it is more than 5 minutes old."
        raise ApiError(400, message, param="stream")


def stream(turn: Turn, document: Callable[[], Document], after: int | None) -> Response:
    """The events of a turn with higher numbers. `document` is the response as it stands."""
    return Response(_send(turn, document, -1 if after is None else after), content_type="text/event-stream")


def _send(turn: Turn, document: Callable[[], Document], after: int) -> Iterator[str]:
    number = -1
    for number, (share, event) in enumerate(_events(turn)):
        due = turn.created_at + share * turn.model_seconds
        while (seconds := due - time.time()) > 0 and not turn.cancelled:
            time.sleep(min(POLL_SECONDS, seconds))
        if turn.cancelled:
            return
        if number > after:
            response = {"response": document()} if event["type"] in STATUS_EVENTS else {}
            yield _format({**event, **response}, number)
    while turn.phase not in ("done", "cancelled"):  # it hangs
        time.sleep(POLL_SECONDS)
    if turn.phase == "done" and number + 1 > after:
        ended = document()
        yield _format({"type": f"response.{ended['status']}", "response": ended}, number + 1)


def _format(event: Event, number: int) -> str:
    return f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"


def _events(turn: Turn) -> Iterator[tuple[float, Event]]:
    """The events before the last one, and when they come, as a share of the model's time."""
    for share, kind in zip((0, 0, 0.5), STATUS_EVENTS, strict=True):
        yield share, {"type": kind}
    if isinstance(turn.step, Say):
        yield from _message_events(turn.step.text, f"msg_{turn.number:x}")
    for index, (call_id, call) in enumerate(turn.calls.items()):
        yield from _call_events(index, call_id, call)


def _message_events(text: str, item_id: str) -> Iterator[tuple[float, Event]]:
    place = {"item_id": item_id, "output_index": 0, "content_index": 0, "logprobs": []}
    item = {"id": item_id, "type": "message", "role": "assistant", "status": "in_progress", "content": []}
    yield 0.5, {"type": "response.output_item.added", "output_index": 0, "item": item}
    words = WORDS.findall(text)
    for number, word in enumerate(words, start=1):
        share = 0.5 + 0.5 * number / (len(words) + 1)
        yield share, {"type": "response.output_text.delta", **place, "delta": word}
    content = [{"type": "output_text", "text": text, "annotations": []}]
    done = {**item, "status": "completed", "content": content}
    yield 1, {"type": "response.output_item.done", "output_index": 0, "item": done}


def _call_events(index: int, call_id: str, call: Call) -> Iterator[tuple[float, Event]]:
    place = {"output_index": index}
    item = {"id": f"fc_{call_id}", "type": "function_call", "call_id": call_id, "name": call.name}
    yield 0.5, {"type": "response.output_item.added", **place, "item": {**item, "arguments": ""}}
    delta = {"item_id": item["id"], "delta": call.arguments}
    yield 1, {"type": "response.function_call_arguments.delta", **place, **delta}
    yield 1, {"type": "response.output_item.done", **place, "item": {**item, "arguments": call.arguments}}
