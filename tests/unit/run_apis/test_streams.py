"""Streams of responses: what of them is text, and what becomes of servers that send something else."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from support.run_records import new_run

from upcall.domain.assistants import find_assistant
from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.message_text import TextDelta
from upcall.domain.upstream_run import UpstreamRun
from upcall.run_apis import agents, assistants, responses, server_events
from upcall.run_apis.base import UpstreamRequest, observe_server_limits
from upcall.run_apis.bounded_client import MAX_STREAM_BYTES

from .conftest import CannedResponse, RespondWith, json_response

UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})
REQUEST = UpstreamRequest(new_run(stream=True), find_assistant("summarizer"), [])
CREATED = {"type": "response.created", "response": {"id": "resp_7", "status": "queued"}}
COMPLETED = {"type": "response.completed", "response": {"id": "resp_1"}}


def stream(*events: Any, **headers: str) -> CannedResponse:
    """A response with these events, numbered from 0 on unless they say otherwise."""
    numbered = [{"sequence_number": number, **event} for number, event in enumerate(events)]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in numbered)
    return CannedResponse(body, 200, {"Content-Type": "text/event-stream; charset=utf-8", **headers})


def message(item_id: str, **fields: str) -> dict[str, Any]:
    return {"type": "response.output_item.added", "item": {"id": item_id, "type": "message", **fields}}


def delta(item_id: str, text: object) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "item_id": item_id, "delta": text}


def read(after: int | None = None, seconds: float = 5) -> list[TextDelta]:
    return list(responses.stream_text(UPSTREAM_RUN, after, seconds))


def text_of(deltas: list[TextDelta]) -> str:
    return "".join(each.text for each in deltas)


def test_the_text_comes_with_its_positions_and_other_events_without_text(respond_with: RespondWith) -> None:
    requests = respond_with(stream(CREATED, message("m"), delta("m", "Hel"), delta("m", "lo"), COMPLETED))

    assert read() == [
        TextDelta(0, ""),
        TextDelta(1, ""),
        TextDelta(2, "Hel"),
        TextDelta(3, "lo"),
        TextDelta(4, ""),
    ]
    assert (requests[0].method, requests[0].path) == ("GET", "/v1/responses/resp_1?stream=true")
    assert requests[0].headers["Accept-Encoding"] == "identity"


def test_a_stream_is_taken_up_again_after_a_position(respond_with: RespondWith) -> None:
    requests = respond_with(stream({"sequence_number": 12, **delta("m", "lo")}))

    assert read(after=11) == [TextDelta(12, "lo")]
    assert requests[0].path == "/v1/responses/resp_1?stream=true&starting_after=11"


def test_commentary_is_no_text_and_messages_are_separated_as_in_the_final_message(
    respond_with: RespondWith,
) -> None:
    comment = [message("c", phase="commentary"), delta("c", "Let me see.")]
    respond_with(
        stream(*comment, message("a"), delta("a", "One."), message("b"), delta("b", "Two."), COMPLETED)
    )

    assert text_of(read()) == "One.\n\nTwo."


def test_after_a_pause_a_second_message_is_separated_too(respond_with: RespondWith) -> None:
    respond_with(stream(delta("a", "."), message("b"), delta("b", "Two.")))

    assert text_of(read(after=3)) == ".\n\nTwo."


def test_a_character_that_is_cut_in_two_is_whole_and_a_lone_half_is_replaced(
    respond_with: RespondWith,
) -> None:
    halves = [delta("m", "a\ud83d"), {"type": "response.output_item.done"}, delta("m", "\ude00b")]
    respond_with(stream(*halves, delta("m", "\ude00"), delta("m", "\ud83d"), delta("m", "c")))

    assert [each.text for each in read()] == ["a", "", "\N{GRINNING FACE}b", "\ufffd", "", "\ufffdc"]


@pytest.mark.parametrize(
    "body",
    [
        "data: {\n\n",
        "data: \xff\n\n".encode("latin-1"),
        f"data: {'[' * 100_000}\n\n",
    ],
    ids=["no JSON", "no UTF-8", "too deep"],
)
def test_what_is_no_stream_of_json_may_be_tried_again(respond_with: RespondWith, body: str | bytes) -> None:
    respond_with(CannedResponse(body, 200, {"Content-Type": "text/event-stream"}))

    with pytest.raises(TransientError):
        read()
    with pytest.raises(TransientError):
        responses.create(REQUEST, UPSTREAM_RUN, [])


@pytest.mark.parametrize(
    "wrong", [[], 1, "x", None, {"type": 3}, {"type": "response.output_item.added", "item": 1}]
)
def test_events_of_unknown_shapes_are_left_out(respond_with: RespondWith, wrong: object) -> None:
    events = "".join(f"data: {json.dumps(each)}\n\n" for each in (wrong, delta("m", "a")))
    respond_with(CannedResponse(events, 200, {"Content-Type": "text/event-stream"}))

    assert text_of(read()) == "a"


@pytest.mark.parametrize("number", [True, -1, 10**40, "7", None, 1.5])
def test_a_number_that_is_none_is_no_position(respond_with: RespondWith, number: object) -> None:
    respond_with(
        stream({"sequence_number": 4, **delta("m", "a")}, {"sequence_number": number, **delta("m", "b")})
    )

    assert read() == [TextDelta(4, "a"), TextDelta(4, "b")]


@pytest.mark.parametrize("text", [None, "", 0, {}])
def test_a_delta_without_text_is_empty(respond_with: RespondWith, text: object) -> None:
    respond_with(stream(delta("m", text)))

    assert text_of(read()) == ""


def test_nothing_is_read_after_the_turn_has_ended(respond_with: RespondWith) -> None:
    respond_with(stream(delta("m", "a"), COMPLETED, delta("m", "b")))

    assert text_of(read()) == "a"


def test_an_answer_that_is_no_stream_has_no_events(respond_with: RespondWith) -> None:
    """Some servers ignore `stream` when a response is read."""
    respond_with(json_response({"id": "resp_1", "status": "in_progress"}))

    assert read() == []


@pytest.mark.parametrize(
    ("status", "error"), [(400, RequestRejected), (429, TransientError), (502, TransientError)]
)
def test_an_error_in_place_of_a_stream_is_raised(
    respond_with: RespondWith, status: int, error: type[Exception]
) -> None:
    respond_with(json_response({"error": {"message": "can no longer be streamed"}}, status))

    with pytest.raises(error):
        read()


def test_a_silent_server_is_left_when_the_time_is_over(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    respond_with(stream(CREATED))
    go_on = threading.Event()

    def body() -> Iterator[bytes]:
        yield from stream(delta("m", "Hel")).chunks()
        go_on.wait(10)

    headers = {"Content-Type": "text/event-stream"}
    handle = lambda *_: httpx2.Response(200, headers=headers, content=body())  # noqa: E731
    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", handle)
    start = time.monotonic()
    try:
        assert text_of(read(seconds=0.3)) == "Hel"
        assert time.monotonic() - start < 5
    finally:
        go_on.set()


def test_a_stream_has_a_largest_size(respond_with: RespondWith) -> None:
    respond_with(CannedResponse(b":" * (MAX_STREAM_BYTES + 1), 200, {"Content-Type": "text/event-stream"}))

    with pytest.raises(RequestRejected, match="a stream of more than"):
        read(seconds=30)


def test_a_stream_with_an_encoding_is_not_read(respond_with: RespondWith) -> None:
    respond_with(stream(CREATED, **{"Content-Encoding": "gzip"}))

    with pytest.raises(RequestRejected, match="encoding"):
        read()


def test_a_response_is_created_as_a_stream_and_known_with_its_first_event(respond_with: RespondWith) -> None:
    limits = {"limit": "60", "remaining": "3", "reset": "1s"}
    headers = {f"x-ratelimit-{name}-requests": value for name, value in limits.items()}
    requests = respond_with(stream(CREATED, COMPLETED, **headers))
    with observe_server_limits() as observed:
        created = responses.create(REQUEST, UPSTREAM_RUN, [])

    assert created.ids == {"response_id": "resp_7"}
    assert requests[0].json["stream"] is True
    assert requests[0].json["background"] is True
    assert observed.newest
    assert observed.newest.requests


def test_the_stream_of_a_new_response_is_read_on(
    respond_with: RespondWith, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenAI leaves a response in its queue for ever if its stream is closed at the first event."""
    read_on = threading.Event()

    def body() -> Iterator[bytes]:
        yield from stream(CREATED).chunks()
        time.sleep(0.1)
        yield from stream({"type": "response.in_progress"}).chunks()
        read_on.set()

    respond_with(stream(CREATED))
    headers = {"Content-Type": "text/event-stream"}
    handle = lambda *_: httpx2.Response(200, headers=headers, content=body())  # noqa: E731
    monkeypatch.setattr(httpx2.HTTPTransport, "handle_request", handle)

    assert responses.create(REQUEST, UPSTREAM_RUN, []).ids == {"response_id": "resp_7"}
    assert read_on.wait(5)


def test_a_server_that_does_not_stream_creates_the_response_as_well(respond_with: RespondWith) -> None:
    respond_with(json_response({"id": "resp_8", "status": "queued"}))

    assert responses.create(REQUEST, UPSTREAM_RUN, []).ids == {"response_id": "resp_8"}


@pytest.mark.parametrize(
    "reply",
    [
        stream({"type": "error", "code": "server_error", "message": "Out of luck."}),
        stream(),
        CannedResponse("<html>", 200, {"Content-Type": "text/html"}),
        httpx2.ConnectError("refused"),
    ],
)
def test_a_creation_without_a_response_may_be_repeated(
    respond_with: RespondWith, reply: CannedResponse | Exception
) -> None:
    respond_with(reply)

    with pytest.raises(TransientError):
        responses.create(REQUEST, UPSTREAM_RUN, [])


def test_a_refused_creation_tells_of_the_rate_limit(respond_with: RespondWith) -> None:
    respond_with(json_response({"error": {"message": "Slow down."}}, 429, retry_after="7"))

    with observe_server_limits() as observed, pytest.raises(TransientError):
        server_events.create("/responses", {})

    assert observed.newest
    assert observed.newest.retry_after == 7


@pytest.mark.parametrize("run_api", [agents, assistants])
def test_other_run_apis_name_the_field_that_they_do_not_have(run_api: Any) -> None:
    unsupported = run_api.unsupported_field(REQUEST.run)

    assert unsupported.field == "stream"
    assert list(run_api.stream_text(UPSTREAM_RUN, None, 1)) == []
