"""Traces of runs on a local stack, as a collector of OpenTelemetry has understood them."""

import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs
from tracing.collector import Collector

from local.openai_emulator import Call, CallTools, Fail, Say
from local.stack import LocalStack

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
INTERNAL, CLIENT = 1, 3
UNSET, ERROR = 0, 2
KNOWS_PARENT, PARENT_IS_REMOTE, SAMPLED = 0x100, 0x200, 1


def test_a_run_of_every_kind_of_call_arrives_with_parents_times_and_attributes(
    runs: Runs, local_stack: LocalStack, collector: Collector
) -> None:
    calls = CallTools(
        (
            Call.of("notify", message="Hello."),
            Call.of("lookup", order=1),
            Call.of("nothing"),
        )
    )
    before = time.time_ns()
    prompt = "Grüße an alle 😀"
    run_id = runs.start_script(
        calls,
        Say("Done."),
        prompt=prompt,
        assistant="announcer",
        tools=[LOOKUP_TOOL],
        metadata={"ticket": "4711"},
    )
    approval, output = runs.wait_for_open_calls(run_id, 2)
    runs.decide(run_id, approval)
    runs.give_outputs(run_id, {output["id"]: "42"})
    run = runs.wait_for_end(run_id).run
    ledger = {entry["call"]["name"]: entry for entry in runs.list_calls(run_id)}

    spans = collector.spans(run_id)

    root, first, second, *rest = spans
    assert [span["name"] for span in spans] == [
        "invoke_agent announcer",
        f"chat {run['model']}",
        f"chat {run['model']}",
        "approval notify",
        "execute_tool notify",
        "execute_tool lookup",
        "execute_tool nothing",
    ]
    assert root["parentSpanId"] is None
    assert {span["parentSpanId"] for span in spans[1:]} == {root["spanId"]}
    assert len({span["traceId"] for span in spans}) == 1
    assert [span["kind"] for span in spans] == [INTERNAL, CLIENT, CLIENT, *[INTERNAL] * 4]
    assert {span["flags"] for span in spans} == {KNOWS_PARENT | SAMPLED}
    assert {span["scope"] for span in spans} == {"upcall"}
    assert all(span["resource"] == {"service.name": "upcall"} for span in spans)

    assert nanoseconds(run["created_at"]) == root["startTimeUnixNano"]
    assert nanoseconds(run["ended_at"]) == root["endTimeUnixNano"]
    asked, notify, lookup, nothing = rest
    assert before - 10**6 < root["startTimeUnixNano"] <= first["startTimeUnixNano"]
    assert first["endTimeUnixNano"] <= asked["startTimeUnixNano"] < asked["endTimeUnixNano"]
    assert asked["endTimeUnixNano"] <= notify["startTimeUnixNano"]
    assert nanoseconds(ledger["notify"]["output"]["started_at"]) == notify["startTimeUnixNano"]
    duration_ms = ledger["notify"]["output"]["duration_ms"]
    assert notify["endTimeUnixNano"] - notify["startTimeUnixNano"] == duration_ms * 10**6
    assert lookup["startTimeUnixNano"] < lookup["endTimeUnixNano"] <= second["startTimeUnixNano"]
    assert nothing["startTimeUnixNano"] == nothing["endTimeUnixNano"]
    assert second["endTimeUnixNano"] == root["endTimeUnixNano"]

    attributes = root["attributes"]
    assert attributes["gen_ai.operation.name"] == "invoke_agent"
    for name in ("input_tokens", "output_tokens"):
        assert attributes[f"upcall.run.{name}"] == run["usage"][name] > 0
        counted = [span["attributes"].get(f"gen_ai.usage.{name}", 0) for span in spans]
        assert sum(counted) == run["usage"][name], "receivers add up all spans"
    assert attributes["upcall.run.aws_usd"] == pytest.approx(run["aws_usd"])
    assert attributes["upcall.metadata.ticket"] == "4711"
    (message,) = json.loads(attributes["gen_ai.input.messages"])
    assert message["parts"] == [{"type": "text", "content": prompt}]
    assert asked["attributes"]["upcall.approval.decision"] == "approve"
    assert notify["attributes"]["gen_ai.tool.call.result"] == ledger["notify"]["output"]["output"]
    assert lookup["attributes"]["upcall.call.by_caller"] is True
    assert nothing["attributes"]["error.type"] == "tool_error"
    assert ledger["notify"]["output"]["outcome"] == "error", "the stack has no webhook"
    failed = [span["name"] for span in spans if span["status"] != (UNSET, "")]
    assert failed == ["execute_tool notify", "execute_tool nothing"]
    assert {span["status"] for span in spans} == {(UNSET, ""), (ERROR, "")}


def test_a_run_continues_the_trace_of_its_request(
    runs: Runs, local_stack: LocalStack, collector: Collector
) -> None:
    model = local_stack.emulator.script(Say("Done."))
    headers = {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}
    run_id = runs.http.post("/runs", json={"prompt": "Go.", "model": model}, headers=headers).json()["run_id"]

    root, turn = collector.spans(run_id)

    assert (root["traceId"], root["parentSpanId"]) == (TRACE_ID, PARENT_ID)
    assert (turn["traceId"], turn["parentSpanId"]) == (TRACE_ID, root["spanId"])
    assert root["flags"] == KNOWS_PARENT | PARENT_IS_REMOTE | SAMPLED


def test_a_run_that_failed_is_an_error_with_its_message(runs: Runs, collector: Collector) -> None:
    run = runs.run_script(Fail("invalid_prompt", "It broke.")).run

    root, turn = collector.spans(run["run_id"])

    assert root["status"] == (ERROR, run["failure"]["message"])
    assert turn["status"][0] == ERROR
    assert root["attributes"]["error.type"] == run["failure"]["code"]


def test_runs_of_each_run_api_are_traces_of_their_own(runs: Runs, collector: Collector) -> None:
    ended = [
        runs.run_script(Say("Done."), run_api=api).run["run_id"]
        for api in ("responses", "assistants", "agents")
    ]

    roots = [collector.spans(run_id)[0] for run_id in ended]

    assert len({root["traceId"] for root in roots}) == 3
    assert [root["attributes"]["upcall.run.api"] for root in roots] == ["responses", "assistants", "agents"]


def nanoseconds(text: str) -> int:
    """A time of the API as OTLP counts it."""
    since = datetime.fromisoformat(text) - datetime(1970, 1, 1, tzinfo=UTC)
    return since // timedelta(microseconds=1) * 1000
