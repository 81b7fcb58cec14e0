"""The offline model: what it reads, and its message."""

import json

import pytest

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


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ('{"text": "It rains."}', "http://a.example/x: It rains."),
        ('{"title": null, "text": "It rains."}', "http://a.example/x: It rains."),
        ('{"title": "X"}', "X: there is no text."),
        ('{"title": "X", "text": null}', "X: there is no text."),
        ('{"title": 5, "text": ["It rains."]}', "5: ['It rains.']"),
        ('{"error": null}', "I could not read http://a.example/x: None"),
        ("[1, 2]", "http://a.example/x: there is no text."),
        ("null", "http://a.example/x: there is no text."),
        ("", "http://a.example/x: there is no text."),
        ("It rains.", "http://a.example/x: It rains."),
        ("[" * 100_000, "http://a.example/x: there is no text."),
    ],
)
def test_it_summarises_an_output_of_any_form(output: str, expected: str) -> None:
    """A tool of somebody else may have the name of one of ours."""
    prompt = "Summarise http://a.example/x"
    first = offline_model(Conversation(prompt, TOOLS))
    assert isinstance(first, CallTools)

    round_ = (Exchange(first.calls[0], output),)

    assert offline_model(Conversation(prompt, TOOLS, (round_,))) == Say(expected)


def test_it_reads_first_and_then_makes_the_calls_that_the_prompt_spells_out() -> None:
    prompt = 'Read http://a.example/x and tell the team: notify({"message": "It rains."})'
    tools = (*TOOLS, "notify")
    first = offline_model(Conversation(prompt, tools))
    assert isinstance(first, CallTools)
    assert [call.name for call in first.calls] == ["fetch"]

    reading = (Exchange(first.calls[0], '{"title": "X", "text": "It rains."}'),)
    second = offline_model(Conversation(prompt, tools, (reading,)))
    assert isinstance(second, CallTools)
    assert [(call.name, call.arguments) for call in second.calls] == [("notify", '{"message": "It rains."}')]

    telling = (Exchange(second.calls[0], "sent"),)
    assert offline_model(Conversation(prompt, tools, (reading, telling))) == Say(
        "X: It rains.\n\nnotify answered: sent"
    )


def test_a_key_that_is_no_json_string_is_not_read() -> None:
    message = offline_model(Conversation('Read the stored object "a\\q".', TOOLS))

    assert isinstance(message, Say)


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


def test_it_calls_a_tool_that_the_prompt_spells_out_and_says_what_it_answered() -> None:
    prompt = (
        'First refund({"amount": 150, "to": "a) b"}), then unknown({}) and refund({"amount": and refund(x).'
    )
    first = offline_model(Conversation(prompt, ("refund", "fetch")))

    assert isinstance(first, CallTools)
    (call,) = first.calls
    assert (call.name, json.loads(call.arguments)) == ("refund", {"amount": 150, "to": "a) b"})
    assert offline_model(Conversation(prompt, TOOLS, ((Exchange(call, "Refunded."),),))) == Say(
        "refund answered: Refunded."
    )
