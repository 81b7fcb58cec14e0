"""The offline model: what it reads, and its message."""

import json

from local.openai_emulator.conversation import CallTools, Conversation, Exchange, Say
from local.openai_emulator.offline_model import offline_model

TOOLS = ("fetch", "read_object")


def test_it_fetches_each_page_once_and_summarises_all_of_them() -> None:
    prompt = "Compare http://a.example/x and (http://b.example/y), then http://a.example/x."
    first = offline_model(Conversation(prompt, TOOLS))

    assert isinstance(first, CallTools)
    assert [call.name for call in first.calls] == ["fetch", "fetch"]
    assert [json.loads(call.arguments)["url"] for call in first.calls] == [
        "http://a.example/x",
        "http://b.example/y",
    ]

    page = json.dumps({"title": "X", "text": "Heading\nThe first sentence stands. A second one follows it."})
    outputs = (page, '{"error": "gone"}')
    round_ = tuple(Exchange(call, output) for call, output in zip(first.calls, outputs, strict=True))
    assert offline_model(Conversation(prompt, TOOLS, (round_,))) == Say(
        "X: The first sentence stands. A second one follows it.\n\nI could not read http://b.example/y: gone"
    )


def test_it_says_so_if_the_prompt_names_no_page() -> None:
    message = offline_model(Conversation("Hello.", TOOLS))

    assert isinstance(message, Say)
    assert "It names none" in message.text


def test_it_calls_no_tool_that_it_does_not_have() -> None:
    assert isinstance(offline_model(Conversation("Read http://a.example/x.", ())), Say)


def test_its_message_is_valid_for_the_schema_of_the_response() -> None:
    schema = {
        "type": "object",
        "properties": {
            "summary": {"type": "string"},
            "points": {"type": "array", "items": {"type": "number"}},
        },
    }
    message = offline_model(Conversation("Hello.", TOOLS, schema=schema))

    assert isinstance(message, Say)
    assert json.loads(message.text)["points"] == [0]
    assert "It names none" in json.loads(message.text)["summary"]
