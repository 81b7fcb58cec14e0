"""The emulator, asked by the OpenAI SDK with its own strict validation of every answer."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response

from local.openai_emulator import (
    Call,
    CallTools,
    Emulator,
    Fail,
    Fault,
    Hang,
    Say,
    StopShort,
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
    made = Emulator(thinking_seconds=0.05)
    yield made
    made.stop()


@pytest.fixture
def client(emulator: Emulator) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=emulator.base_url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as made:
        yield made


def created(client: OpenAI, model: str, **fields: Any) -> Response:
    given = {"input": "Go.", "tools": [FETCH], "background": True, **fields}
    response: Response = client.responses.create(model=model, **given)
    return response


def ended(client: OpenAI, response: Response) -> Response:
    while response.status in ("queued", "in_progress"):
        time.sleep(0.01)
        response = client.responses.retrieve(response.id)
    return response


def test_a_response_is_queued_then_in_progress(client: OpenAI, emulator: Emulator) -> None:
    response = created(client, emulator.script(Hang()))
    assert response.status == "queued"
    while response.status == "queued":
        response = client.responses.retrieve(response.id)

    assert response.status == "in_progress"
    assert response.usage is None


def test_a_response_ends_completed_with_its_message(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(Say("Hello."))
    response = ended(client, created(client, model, instructions="Be kind.", metadata={"run_id": "r"}))

    assert response.status == "completed"
    assert response.output_text == "Hello."
    assert response.metadata == {"run_id": "r"}
    assert response.usage is not None
    assert response.usage.total_tokens > 0


def test_a_tool_turn_is_completed_with_function_calls(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(CallTools((Call("fetch", "{broken"), Call.of("fetch", url="x"))), Say("Done."))
    first = ended(client, created(client, model))

    assert first.status == "completed"
    calls = [item for item in first.output if item.type == "function_call"]
    assert [call.arguments for call in calls] == ["{broken", '{"url": "x"}']
    outputs: Any = [{"type": "function_call_output", "call_id": c.call_id, "output": "o"} for c in calls]
    second = ended(client, created(client, model, previous_response_id=first.id, input=outputs))
    assert second.output_text == "Done."


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (Fail("server_error", "Broken."), "failed"),
        (StopShort("max_output_tokens"), "incomplete"),
        (StopShort("content_filter"), "incomplete"),
    ],
)
def test_endings_without_a_message_have_their_reason(
    client: OpenAI, emulator: Emulator, step: Any, status: str
) -> None:
    response = ended(client, created(client, emulator.script(step)))

    assert response.status == status
    reason = response.error or response.incomplete_details
    assert reason is not None
    assert step.code == reason.code if isinstance(step, Fail) else step.reason == reason.reason  # type: ignore[union-attr]


def test_a_response_that_works_can_be_cancelled_and_one_that_has_ended_stays(
    client: OpenAI, emulator: Emulator
) -> None:
    hanging = created(client, emulator.script(Hang()))
    assert client.responses.cancel(hanging.id).status == "cancelled"
    assert client.responses.retrieve(hanging.id).status == "cancelled"

    done = ended(client, created(client, emulator.script(Say("Done."))))
    assert client.responses.cancel(done.id).status == "completed"


def refused(client: OpenAI, model: str, **fields: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        created(client, model, **fields)
    return caught.value


def output(call_id: str) -> Any:
    return {"type": "function_call_output", "call_id": call_id, "output": "o"}


def test_refusals_are_worded_as_openai_words_them(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(CallTools((Call("fetch", "{}"), Call("fetch", "{}"))))
    first = ended(client, created(client, model))
    one, two = [item.call_id for item in first.output if item.type == "function_call"]
    follow = {"previous_response_id": first.id}

    missing = refused(client, model, **follow, input=[output(one)])
    assert (missing.status_code, missing.message.count(f"No tool output found for function call {two}.")) == (
        400,
        1,
    )
    strange = refused(client, model, **follow, input=[output(one), output(two), output("call_x")])
    assert "No tool call found for function call output with call_id call_x." in strange.message
    unknown = refused(client, model, previous_response_id="resp_x", input="Go.")
    assert (unknown.status_code, unknown.code) == (400, "previous_response_not_found")
    assert refused(client, "", input="Go.").status_code == 400
    assert refused(client, model, store=False).param == "store"
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve("resp_x")
    with pytest.raises(openai.NotFoundError):
        client.responses.cancel("resp_x")


def test_without_a_key_nobody_comes_in(emulator: Emulator) -> None:
    import httpx

    assert httpx.get(f"{emulator.base_url}/responses/x").status_code == 401


def test_a_fault_happens_once_and_where_it_was_asked_for(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(
        Say("Done."), faults=[Fault("create", 429, {"retry-after": "3"}), Fault("poll", 0)]
    )
    with pytest.raises(openai.RateLimitError) as caught:
        created(client, model)
    assert caught.value.response.headers["retry-after"] == "3"
    response = created(client, model)
    with pytest.raises(openai.APIConnectionError):
        client.responses.retrieve(response.id)
    assert ended(client, response).output_text == "Done."


def test_a_server_may_act_and_answer_wrongly_all_the_same(client: OpenAI, emulator: Emulator) -> None:
    model = emulator.script(Hang(), faults=[Fault("create", 500, acted=True), Fault("create", 500)])
    for _ in range(2):
        with pytest.raises(openai.InternalServerError):
            created(client, model)

    assert len(emulator.brain.heard[model]) == 1


def test_a_server_goes_on_where_another_one_was_saved(
    client: OpenAI, emulator: Emulator, tmp_path: Path
) -> None:
    done = ended(client, created(client, "any", input="Hello."))
    emulator.save(tmp_path / "memory")
    later = Emulator()
    later.load(tmp_path / "memory")
    try:
        with OpenAI(base_url=later.base_url, api_key="x", max_retries=0) as second:
            assert second.responses.retrieve(done.id).output_text == done.output_text
    finally:
        later.stop()


@pytest.mark.parametrize("content", [b"", b"not a pickle", b"\x80\x04N."])
def test_a_memory_that_cannot_be_read_is_forgotten(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "memory").write_bytes(content)
    fresh = Emulator()
    try:
        fresh.load(tmp_path / "memory")
        fresh.load(tmp_path / "none")
    finally:
        fresh.stop()


def test_the_offline_model_fetches_each_page_once_and_reports_on_all(client: OpenAI) -> None:
    prompt = "Compare http://a.example/x and (http://b.example/y), then http://a.example/x."
    first = ended(client, created(client, "any", input=prompt))
    calls = [item for item in first.output if item.type == "function_call"]
    assert [json.loads(call.arguments)["url"] for call in calls] == [
        "http://a.example/x",
        "http://b.example/y",
    ]

    page = json.dumps({"title": "X", "text": "Heading\nThe first sentence stands. A second one follows it."})
    outputs: Any = [
        {**output(calls[0].call_id), "output": page},
        {**output(calls[1].call_id), "output": '{"error": "gone"}'},
    ]
    second = ended(client, created(client, "any", previous_response_id=first.id, input=outputs))
    assert second.output_text == (
        "X: The first sentence stands. A second one follows it.\n\nI could not read http://b.example/y: gone"
    )


def test_the_offline_model_says_so_when_there_is_nothing_to_read(client: OpenAI) -> None:
    assert "It names none" in ended(client, created(client, "any", input="Hello.")).output_text
