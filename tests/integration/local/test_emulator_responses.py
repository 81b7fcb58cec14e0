"""The Responses API of the emulator, with the OpenAI SDK and its strict validation of every response."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response
from support.waiting import wait_until

from local.openai_emulator import (
    Call,
    CallTools,
    Emulator,
    EndIncomplete,
    Fail,
    Fault,
    Hang,
    Say,
)

FETCH: Any = {
    "type": "function",
    "name": "fetch",
    "description": "Fetch.",
    "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
    "strict": True,
}


@pytest.fixture(scope="module")
def emulator() -> Iterator[Emulator]:
    started = Emulator(model_seconds=0.05)
    yield started
    started.stop()


@pytest.fixture
def client(emulator: Emulator) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=emulator.base_url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as strict:
        yield strict


def create(client: OpenAI, model: str, **fields: Any) -> Response:
    fields = {"input": "Go.", "tools": [FETCH], "background": True, **fields}
    response: Response = client.responses.create(model=model, **fields)
    return response


def poll_while(client: OpenAI, response: Response, *statuses: str) -> Response:
    """Poll a response until it has none of these statuses."""

    def changed() -> Response | None:
        polled: Response = client.responses.retrieve(response.id)
        return polled if polled.status not in statuses else None

    return wait_until(changed, f"another status than {' and '.join(statuses)}") or response


def wait_for_end(client: OpenAI, response: Response) -> Response:
    return poll_while(client, response, "queued", "in_progress")


def test_a_response_is_queued_then_in_progress(client: OpenAI, emulator: Emulator) -> None:
    response = create(client, emulator.script(Hang()))
    assert response.status == "queued"
    response = poll_while(client, response, "queued")

    assert response.status == "in_progress"
    assert response.usage is None


def test_a_response_ends_completed_with_its_message(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(Say("Hello."))
    response = wait_for_end(client, create(client, model, instructions="Be kind.", metadata={"run_id": "r"}))

    assert response.status == "completed"
    assert response.output_text == "Hello."
    assert response.metadata == {"run_id": "r"}
    assert response.usage is not None
    assert response.usage.total_tokens > 0


def test_a_turn_with_tool_calls_is_completed_with_function_calls(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(CallTools((Call("fetch", "{broken"), Call.of("fetch", url="x"))), Say("Done."))
    first = wait_for_end(client, create(client, model))

    assert first.status == "completed"
    calls = [item for item in first.output if item.type == "function_call"]
    assert [call.arguments for call in calls] == ["{broken", '{"url": "x"}']
    outputs = [output(call.call_id) for call in calls]
    second = wait_for_end(client, create(client, model, previous_response_id=first.id, input=outputs))
    assert second.output_text == "Done."


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (Fail("server_error", "Broken."), "failed"),
        (EndIncomplete("max_output_tokens"), "incomplete"),
        (EndIncomplete("content_filter"), "incomplete"),
    ],
)
def test_a_response_that_ends_without_a_message_has_a_reason(
    client: OpenAI, emulator: Emulator, step: Any, status: str
) -> None:
    response = wait_for_end(client, create(client, emulator.script(step)))

    assert response.status == status
    reason = response.error or response.incomplete_details
    assert reason is not None
    assert step.code == reason.code if isinstance(step, Fail) else step.reason == reason.reason  # type: ignore[union-attr]


def test_a_response_in_progress_can_be_cancelled_and_one_that_has_ended_does_not_change(
    client: OpenAI, emulator: Emulator
) -> None:
    hanging = create(client, emulator.script(Hang()))
    assert client.responses.cancel(hanging.id).status == "cancelled"
    assert client.responses.retrieve(hanging.id).status == "cancelled"

    done = wait_for_end(client, create(client, emulator.script(Say("Done."))))
    assert client.responses.cancel(done.id).status == "completed"


def error_of(client: OpenAI, model: str, **fields: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        create(client, model, **fields)
    return caught.value


def output(call_id: str) -> Any:
    return {"type": "function_call_output", "call_id": call_id, "output": "o"}


def test_errors_have_the_wording_of_openai(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(CallTools((Call("fetch", "{}"), Call("fetch", "{}"))))
    first = wait_for_end(client, create(client, model))
    one, two = [item.call_id for item in first.output if item.type == "function_call"]
    follow_up = {"previous_response_id": first.id}

    missing = error_of(client, model, **follow_up, input=[output(one)])
    assert (missing.status_code, missing.message.count(f"No tool output found for function call {two}.")) == (
        400,
        1,
    )
    unknown_call = error_of(client, model, **follow_up, input=[output(one), output(two), output("call_x")])
    assert "No tool call found for function call output with call_id call_x." in unknown_call.message
    unknown = error_of(client, model, previous_response_id="resp_x", input="Go.")
    assert (unknown.status_code, unknown.code) == (400, "previous_response_not_found")
    assert error_of(client, "", input="Go.").status_code == 400
    assert error_of(client, model, store=False).param == "store"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_x")
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_x")


def test_a_request_without_an_api_key_is_rejected(emulator: Emulator) -> None:
    assert httpx.get(f"{emulator.base_url}/responses/x").status_code == 401


def test_a_fault_is_injected_once_into_its_operation(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(
        Say("Done."), faults=[Fault("create", 429, {"retry-after": "3"}), Fault("poll", 0)]
    )
    with pytest.raises(openai.RateLimitError) as caught:
        create(client, model)
    assert caught.value.response.headers["retry-after"] == "3"
    response = create(client, model)
    with pytest.raises(openai.APIConnectionError):
        client.responses.retrieve(response.id)
    assert wait_for_end(client, response).output_text == "Done."


def test_a_request_may_be_processed_before_it_fails(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(Hang(), faults=[Fault("create", 500, processed=True), Fault("create", 500)])
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            create(client, model)

    assert len(emulator.models.conversations[model]) == 1


def test_a_server_continues_with_the_saved_state_of_another(
    client: OpenAI, emulator: Emulator, tmp_path: Path
) -> None:
    done = wait_for_end(client, create(client, "any", input="Hello."))
    emulator.save(tmp_path / "state")
    later = Emulator()
    later.load(tmp_path / "state")
    try:
        with OpenAI(base_url=later.base_url, api_key="x", max_retries=0) as second:
            assert second.responses.retrieve(done.id).output_text == done.output_text
    finally:
        later.stop()


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04N."])
def test_a_saved_state_that_cannot_be_read_is_ignored(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(content)
    fresh = Emulator()
    try:
        fresh.load(tmp_path / "state")
        fresh.load(tmp_path / "none")
    finally:
        fresh.stop()


def test_a_model_without_a_script_is_the_offline_model(client: OpenAI) -> None:
    prompt = "Compare http://a.example/x and http://b.example/y."
    first = wait_for_end(client, create(client, "any", input=prompt))
    (call,) = [item for item in first.output if item.type == "function_call" and "/x" in item.arguments]

    outputs = [output(item.call_id) for item in first.output if item.type == "function_call"]
    assert (len(outputs), call.name) == (2, "fetch")
    page = '{"title": "X", "text": "The first sentence stands."}'
    second = wait_for_end(
        client,
        create(
            client,
            "any",
            previous_response_id=first.id,
            input=[{**each, "output": page} for each in outputs],
        ),
    )
    assert second.output_text == "X: The first sentence stands.\n\nX: The first sentence stands."


def create_stream(client: OpenAI, model: str) -> Any:
    return client.responses.create(model=model, input="Go.", tools=[FETCH], background=True, stream=True)


def stream_types(events: Any) -> list[str]:
    return [event.type for event in events]


def test_a_response_is_streamed_as_it_is_written(client: OpenAI, emulator: Emulator) -> None:
    events = list(create_stream(client, emulator.script(Say("Hello there, you."))))

    assert stream_types(events) == [
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
        *["response.output_text.delta"] * 3,
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == (
        events[-1].response.output_text
    )


def test_a_stream_is_taken_up_again_after_any_event(client: OpenAI, emulator: Emulator) -> None:
    created = next(iter(create_stream(client, emulator.script(Say("One two")))))
    rest = list(client.responses.retrieve(created.response.id, stream=True, starting_after=4))

    assert stream_types(rest) == [
        "response.output_text.delta",
        "response.output_item.done",
        "response.completed",
    ]
    assert list(client.responses.retrieve(created.response.id, stream=True, starting_after=99)) == []


def test_calls_failures_and_cancelled_responses_end_their_streams(client: OpenAI, emulator: Emulator) -> None:
    def last_event(step: Any) -> Any:
        return list(create_stream(client, emulator.script(step)))[-1]

    assert last_event(CallTools((Call.of("fetch"),))).response.output[0].name == "fetch"
    assert last_event(Fail("server_error", "So.")).type == "response.failed"
    assert last_event(EndIncomplete("max_output_tokens")).type == "response.incomplete"
    hanging = create_stream(client, emulator.script(Hang()))
    first = next(iter(hanging))
    client.responses.cancel(first.response.id)
    assert "response.completed" not in stream_types(hanging)


def test_a_response_that_was_not_created_as_a_stream_has_none(client: OpenAI, emulator: Emulator) -> None:
    created = create(client, emulator.script(Say("Hello.")))

    with pytest.raises(openai.BadRequestError, match="not created with stream"):
        client.responses.retrieve(created.id, stream=True)
