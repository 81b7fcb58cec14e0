"""Traces of whole runs, from the rule on the bus to the endpoint."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from support.canned_server import CannedServer, canned_server, json_response
from support.function_changes import function_changes
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs
from support.traces import spans_of
from support.waiting import wait_until
from werkzeug.wrappers import Response

from local.openai_emulator import Call, CallTools, Fail, Say
from local.stack import LocalStack

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@contextmanager
def traced(local_stack: LocalStack, *answers: Response) -> Iterator[CannedServer]:
    """An endpoint that traces are sent to, as if the stack had its parameter."""
    events = boto3.client("events")
    rule: Any = {
        "Name": local_stack.deployed.physical_ids["TraceRule"].rpartition("|")[2],
        "EventBusName": local_stack.deployed.bus,
    }
    with (
        canned_server(*answers) as server,
        function_changes(local_stack, "ExportTraceFunction", environment={"OTLP_ENDPOINT": server.url}),
    ):
        events.enable_rule(**rule)
        try:
            yield server
        finally:
            events.disable_rule(**rule)


@pytest.fixture
def collector(local_stack: LocalStack) -> Iterator[CannedServer]:
    with traced(local_stack, json_response({})) as server:
        yield server


def spans_of_run(collector: CannedServer, run_id: str) -> list[dict[str, Any]]:
    """The spans of a run, as soon as they arrive. The run's own comes first."""

    def find() -> list[dict[str, Any]] | None:
        for request in collector.requests:
            if run_id in request.body.decode():
                return spans_of(request.json)
        return None

    return wait_until(find, f"the trace of {run_id}")


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_a_run_is_sent_after_its_end_with_the_times_of_its_record_and_ledger(
    runs: Runs, collector: CannedServer, local_stack: LocalStack, api: str
) -> None:
    fetch = CallTools((Call.of("fetch", url=f"{local_stack.endpoints.pages}/tides"),))
    before = time.time_ns()
    ended = runs.run_script(fetch, Say("Done."), run_api=api)

    root, *children = spans_of_run(collector, ended.run["run_id"])

    assert (root["name"], root["attributes"]["upcall.run.status"]) == ("invoke_agent summarizer", "completed")
    model = ended.run["model"]
    assert [span["name"] for span in children] == [f"chat {model}", f"chat {model}", "execute_tool fetch"]
    assert {span["parentSpanId"] for span in children} == {root["spanId"]}
    first, second, tool = ((int(s["startTimeUnixNano"]), int(s["endTimeUnixNano"])) for s in children)
    assert before - 10**6 <= int(root["startTimeUnixNano"]) <= first[0] <= first[1] <= tool[0]
    assert tool[1] <= second[0] <= second[1] <= int(root["endTimeUnixNano"]) <= time.time_ns()
    counted = [span["attributes"].get("gen_ai.usage.input_tokens", 0) for span in (root, *children)]
    assert sum(counted) == ended.run["usage"]["input_tokens"] == root["attributes"]["upcall.run.input_tokens"]


def test_the_trace_of_the_request_is_continued(
    runs: Runs, collector: CannedServer, local_stack: LocalStack
) -> None:
    model = local_stack.emulator.script(Say("Done."))
    response = runs.http.post(
        "/runs",
        json={"prompt": "Go.", "model": model},
        headers={"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"},
    )
    run_id = response.json()["run_id"]

    root, turn = spans_of_run(collector, run_id)

    assert (root["traceId"], root["parentSpanId"]) == (TRACE_ID, PARENT_ID)
    assert (turn["traceId"], turn["parentSpanId"]) == (TRACE_ID, root["spanId"])


def test_approvals_and_calls_of_the_caller_are_spans(runs: Runs, collector: CannedServer) -> None:
    calls = CallTools((Call.of("notify", message="Hello."), Call.of("lookup", order=1)))
    run_id = runs.start_script(calls, Say("Done."), assistant="announcer", tools=[LOOKUP_TOOL])
    approval, output = runs.wait_for_open_calls(run_id, 2)
    runs.decide(run_id, approval, "deny")
    runs.give_outputs(run_id, {output["id"]: "42"})

    spans = {span["name"]: span for span in spans_of_run(collector, run_id)}

    assert spans["approval notify"]["attributes"]["upcall.approval.decision"] == "deny"
    assert spans["execute_tool notify"]["attributes"]["error.type"] == "approval_denied"
    assert spans["execute_tool lookup"]["attributes"]["upcall.call.by_caller"] is True
    assert int(spans["execute_tool lookup"]["endTimeUnixNano"]) > int(
        spans["execute_tool lookup"]["startTimeUnixNano"]
    )


def test_a_run_that_failed_is_an_error(runs: Runs, collector: CannedServer) -> None:
    ended = runs.run_script(Fail("invalid_prompt", "It broke."))

    root, turn = spans_of_run(collector, ended.run["run_id"])

    assert root["status"] == turn["status"] == {"code": 2}
    assert root["attributes"]["error.type"] == ended.run["failure"]["code"]


def test_a_trace_that_is_not_accepted_at_once_is_sent_again_with_the_same_ids(
    runs: Runs, local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from handlers import export_trace

    monkeypatch.setattr(export_trace, "retry_delay_seconds", lambda *_: 0)
    with traced(local_stack, json_response({}, 503), json_response({})) as collector:
        runs.run_script(Say("Done."))
        wait_until(lambda: len(collector.requests) == 2, "the second try")

    first, second = collector.requests
    assert first.json == second.json


def test_without_an_endpoint_nothing_reaches_the_queue(runs: Runs, local_stack: LocalStack) -> None:
    events = boto3.client("events")
    name = local_stack.deployed.physical_ids["TraceRule"].rpartition("|")[2]

    assert events.describe_rule(Name=name, EventBusName=local_stack.deployed.bus)["State"] == "DISABLED"
