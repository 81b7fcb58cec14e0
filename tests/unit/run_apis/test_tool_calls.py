"""Tool calls as servers send them, with all three run APIs: their ids, and the forms of their arguments."""

from typing import Any, get_args

import pytest

from upcall.domain.errors import RequestRejected
from upcall.domain.tool_calls import ToolCall
from upcall.domain.upstream_run import RunApiName, UpstreamRun
from upcall.run_apis import get_run_api
from upcall.run_apis.parsing import MAX_CALL_ID_BYTES

from .conftest import RespondWith, json_response

NAMES: tuple[RunApiName, ...] = get_args(RunApiName)
UPSTREAM_IDS: dict[RunApiName, dict[str, str]] = {
    "responses": {"response_id": "resp_1"},
    "assistants": {"assistant_id": "asst_1", "thread_id": "thread_1", "run_id": "run_1"},
    "agents": {"session_id": "sess_1", "agent": "a", "after": "", "answered": "", "answered_at": "0"},
}
MISSING = "missing"


def poll_calls(
    respond_with: RespondWith, name: RunApiName, *calls: tuple[Any, str, Any]
) -> tuple[ToolCall, ...]:
    """What a run API makes of calls with these ids, names and arguments."""
    if name == "assistants":
        functions = [
            _present(id=call_id, type="function", function=_present(name=function, arguments=arguments))
            for call_id, function, arguments in calls
        ]
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": functions}}
        respond_with(json_response({"id": "run_1", "status": "requires_action", "required_action": action}))
    else:
        items = [
            _present(type="function_call", call_id=call_id, name=function, arguments=arguments)
            for call_id, function, arguments in calls
        ]
        if name == "responses":
            respond_with(json_response({"id": "resp_1", "status": "completed", "output": items}))
        else:
            session = {"id": "sess_1", "status": "requires_action", "required_actions": items}
            turns = {"data": [{"id": "turn_1", "status": "waiting"}]}
            respond_with(json_response(session), json_response(turns))
    snapshot = get_run_api(name).poll(UpstreamRun(run_api=name, ids=UPSTREAM_IDS[name]))
    assert snapshot.status == "requires_action"
    return snapshot.tool_calls


def _present(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value != MISSING}


@pytest.mark.parametrize("name", NAMES)
def test_ids_may_start_anew_in_each_round(respond_with: RespondWith, name: RunApiName) -> None:
    first = poll_calls(respond_with, name, ("fetch:0", "fetch", "{}"), ("fetch:1", "fetch", "{}"))
    second = poll_calls(respond_with, name, ("fetch:0", "fetch", '{"url": "x"}'))

    assert [call.call_id for call in (*first, *second)] == ["fetch:0", "fetch:1", "fetch:0"]
    assert first[0].fingerprint != second[0].fingerprint


@pytest.mark.parametrize("name", NAMES)
def test_ids_that_repeat_within_a_round_are_rejected(respond_with: RespondWith, name: RunApiName) -> None:
    with pytest.raises(RequestRejected, match="several tool calls with the same id") as caught:
        poll_calls(respond_with, name, ("c1", "fetch", "{}"), ("c2", "fetch", "{}"), ("c1", "notify", "{}"))

    assert caught.value.code == "call_id"


@pytest.mark.parametrize("call_id", ["", None, MISSING, 7, ["c1"], {"id": "c1"}, False])
@pytest.mark.parametrize("name", NAMES)
def test_a_call_without_an_id_is_rejected(
    respond_with: RespondWith, name: RunApiName, call_id: object
) -> None:
    with pytest.raises(RequestRejected, match="a tool call without an id") as caught:
        poll_calls(respond_with, name, ("c1", "fetch", "{}"), (call_id, "fetch", "{}"))

    assert caught.value.code == "call_id"


@pytest.mark.parametrize("name", NAMES)
def test_an_id_has_a_maximum_in_bytes(respond_with: RespondWith, name: RunApiName) -> None:
    longest = "x" * MAX_CALL_ID_BYTES
    assert poll_calls(respond_with, name, (longest, "fetch", "{}"))[0].call_id == longest
    for too_long in (longest + "x", "ä" * (MAX_CALL_ID_BYTES // 2 + 1)):
        with pytest.raises(RequestRejected, match="whose id is too long"):
            poll_calls(respond_with, name, (too_long, "fetch", "{}"))


@pytest.mark.parametrize("missing", [None, ""])
def test_an_item_of_a_response_may_have_its_id_in_place_of_that_of_the_call(
    respond_with: RespondWith, missing: str | None
) -> None:
    items = [
        {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": missing,
            "name": "fetch",
            "arguments": "{}",
        }
        for number in (1, 2)
    ]
    respond_with(json_response({"id": "resp_1", "status": "completed", "output": items}))
    snapshot = get_run_api("responses").poll(UpstreamRun(run_api="responses", ids=UPSTREAM_IDS["responses"]))

    assert [call.call_id for call in snapshot.tool_calls] == ["fc_1", "fc_2"]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"url": "ä"}', '{"url": "ä"}'),
        ({"url": "ä"}, '{"url": "ä"}'),
        (None, "{}"),
        (MISSING, "{}"),
        ("null", "{}"),
        ({}, "{}"),
        ("", ""),
        ('"{\\"url\\": \\"ä\\"}"', '{"url": "ä"}'),
        ('" {\\"url\\": 1}"', ' {"url": 1}'),
        ('"no object"', '"no object"'),
        ("{", "{"),
        ("7", "7"),
        (7, "7"),
        ([1], "[1]"),
        ("9" * 5000, "9" * 5000),
        ("[" * 100_000, "[" * 100_000),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_text_a_value_null_or_text_within_text(
    respond_with: RespondWith, name: RunApiName, arguments: object, text: str
) -> None:
    (call,) = poll_calls(respond_with, name, ("c1", "fetch", arguments))

    assert call.arguments == text
