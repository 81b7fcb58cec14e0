"""The protocol that every run API implements, and the capabilities in which they differ."""

import inspect
import pkgutil
from collections.abc import Sequence
from typing import get_args

import pytest
from support.run_records import new_run

from upcall import run_apis
from upcall.domain.errors import FieldError
from upcall.domain.run import Run
from upcall.domain.run_request import InputItem, ResponseFormat
from upcall.domain.upstream_run import RunApiName, UpstreamRun
from upcall.run_apis import get_run_api
from upcall.run_apis.base import RunApi

NAMES: Sequence[RunApiName] = get_args(RunApiName)
SHARED_MODULES = {
    "base",
    "bounded_client",
    "client",
    "openai_sdk",
    "parsing",
    "rate_limit_headers",
    "server_events",
}
METHODS = {
    name: method
    for name, method in inspect.getmembers(RunApi, inspect.isfunction)
    if not name.startswith("_")
}
FIRST = UpstreamRun(run_api="responses", ids={"response_id": "resp_first"})
FAILED = UpstreamRun(run_api="responses", ids={"response_id": "resp_failed"})


def run_of(name: RunApiName, **fields: object) -> Run:
    return new_run(run_api=name).model_copy(update=fields)


def test_every_module_that_is_not_shared_is_a_run_api_of_its_name() -> None:
    modules = {module.name for module in pkgutil.iter_modules(run_apis.__path__)}

    assert modules - SHARED_MODULES == set(NAMES)
    assert all(inspect.getmodule(get_run_api(name).poll) is get_run_api(name) for name in NAMES)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_every_run_api_has_the_functions_of_the_protocol(name: RunApiName, method: str) -> None:
    _, *expected = inspect.signature(METHODS[method]).parameters.values()  # without self
    actual = inspect.signature(getattr(get_run_api(name), method)).parameters.values()

    assert len(actual) == len(expected)
    assert all(parameter.kind is parameter.POSITIONAL_ONLY for parameter in expected)
    assert all(parameter.kind is parameter.POSITIONAL_OR_KEYWORD for parameter in actual)


@pytest.mark.parametrize(
    ("name", "ids", "expected"),
    [
        ("responses", {"response_id": "resp_1", "conversation_id": "conv_1"}, "resp_1"),
        ("agents", {"session_id": "sess_1", "turn_id": "turn_1"}, "sess_1"),
        ("assistants", {"thread_id": "thread_1", "run_id": "run_1"}, None),
    ],
)
def test_webhooks_name_a_response_or_a_session_and_the_assistants_api_has_none(
    name: RunApiName, ids: dict[str, str], expected: str | None
) -> None:
    assert get_run_api(name).webhook_id(UpstreamRun(run_api=name, ids=ids)) == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_run_api_supports_a_run_with_a_prompt(name: RunApiName) -> None:
    assert get_run_api(name).unsupported_field(run_of(name)) is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("responses", None),
        ("assistants", None),
        ("agents", FieldError("response_format", "the agents run API does not support it")),
    ],
)
def test_structured_output_is_supported_by_all_but_agents(
    name: RunApiName, expected: FieldError | None
) -> None:
    schema = {"name": "answer", "schema": {"type": "object"}}
    response_format = ResponseFormat.model_validate({"type": "json_schema", "json_schema": schema})

    assert get_run_api(name).unsupported_field(run_of(name, response_format=response_format)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("responses", None),
        ("assistants", None),
        ("agents", FieldError("input", "the agents run API takes items of the user only")),
    ],
)
def test_items_of_the_assistant_are_supported_by_all_but_agents(
    name: RunApiName, expected: FieldError | None
) -> None:
    question = InputItem(role="user", content="Who?")
    answer = InputItem(role="assistant", content="You.")
    supported = run_of(name, prompt=None, input=(question, question))
    with_an_answer = run_of(name, prompt=None, input=(question, answer, question))

    assert get_run_api(name).unsupported_field(supported) is None
    assert get_run_api(name).unsupported_field(with_an_answer) == expected


@pytest.mark.parametrize(("name", "can"), [("responses", True), ("assistants", False), ("agents", True)])
def test_a_run_can_be_resumed_after_tool_calls_except_by_assistants(name: RunApiName, can: bool) -> None:
    assert get_run_api(name).can_resume_after_tool_calls() is can


@pytest.mark.parametrize("name", NAMES)
def test_only_responses_repeat_a_turn_after_tool_calls(name: RunApiName) -> None:
    assert get_run_api(name).can_repeat_after_tool_calls() is (name == "responses")


@pytest.mark.parametrize("name", NAMES)
def test_only_a_response_has_a_completion_window(name: RunApiName) -> None:
    assert get_run_api(name).has_completion_window() is (name == "responses")


@pytest.mark.parametrize("name", NAMES)
def test_a_run_that_was_never_created_is_retried_in_the_conversation_that_it_continued(
    name: RunApiName,
) -> None:
    run_api = get_run_api(name)

    assert run_api.conversation_to_retry_in(run_of(name)) is None
    assert run_api.conversation_to_retry_in(run_of(name, previous_upstream_run=FIRST)) == FIRST


@pytest.mark.parametrize(
    ("name", "without_previous", "with_previous"),
    [("responses", None, FIRST), ("assistants", None, FIRST), ("agents", FAILED, FAILED)],
)
def test_only_agents_retry_in_the_conversation_of_the_failed_attempt(
    name: RunApiName, without_previous: UpstreamRun | None, with_previous: UpstreamRun
) -> None:
    run_api = get_run_api(name)
    failed = run_of(name, upstream_run=FAILED)
    failed_continuation = run_of(name, upstream_run=FAILED, previous_upstream_run=FIRST)

    assert run_api.conversation_to_retry_in(failed) == without_previous
    assert run_api.conversation_to_retry_in(failed_continuation) == with_previous
