import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from support.fakes.run_repository import InMemoryRunRepository
from support.open_calls import LATER, approval, output
from support.run_records import FAILURE, NEXT_UPSTREAM_RUN, UPSTREAM_RUN, USAGE, new_run
from support.traces import (
    FETCH,
    FIRST_TURN,
    LOG,
    LOOKUP,
    REFUND,
    SECOND_TURN,
    FakeSpanSender,
    at,
    attributes_of,
    complete_run_with_calls,
    entry,
    logged,
    open_call,
    ran,
    spans_of,
    tree,
)

from upcall.domain.errors import RequestRejected, TransientError
from upcall.domain.failure import Failure
from upcall.domain.open_calls import CallAnswer
from upcall.domain.run import Run
from upcall.domain.run_log import LogEntry
from upcall.domain.tool_calls import ToolCall, ToolOutput
from upcall.domain.trace_content import MAX_TEXT_CHARACTERS, MAX_TRACE_CHARACTERS
from upcall.domain.upstream_run import Message
from upcall.use_cases.export_trace import export_trace

TRACE_ID, PARENT_ID = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"

Export = Callable[..., list[dict[str, Any]]]
"""Export a run's trace, and return its spans."""


@pytest.fixture
def send_spans() -> FakeSpanSender:
    return FakeSpanSender()


@pytest.fixture
def export(repository: InMemoryRunRepository, send_spans: FakeSpanSender) -> Export:
    def call(run: Run, log: Sequence[LogEntry] = (), with_content: bool = False) -> list[dict[str, Any]]:
        """Without a log, the run is one of a release that wrote none."""
        repository.replace_log(run, log)
        sent = len(send_spans.requests)
        export_trace(
            run.run_id,
            service_name="upcall-test",
            with_content=with_content,
            repository=repository,
            send_spans=send_spans,
        )
        return spans_of(send_spans.requests[-1]) if len(send_spans.requests) > sent else []

    return call


def named(spans: Sequence[dict[str, Any]], name: str) -> dict[str, Any]:
    (span,) = (span for span in spans if span["name"] == name)
    return span


def test_a_run_is_an_agent_with_turns_tools_and_approvals(
    export: Export, repository: InMemoryRunRepository
) -> None:
    run = complete_run_with_calls(repository)

    assert tree(export(run, LOG)) == [
        ("invoke_agent summarizer", 0, 70),
        ("  chat m", 1, 2.5),
        ("  execute_tool fetch", 3, 4),
        ("  approval refund", 3, 63),
        ("  execute_tool lookup", 3, 33),
        ("  execute_tool refund", 63, 63.5),
        ("  chat m", 64, 70),
    ]


def test_without_a_log_turns_lie_between_the_calls_of_the_ledger(
    export: Export, repository: InMemoryRunRepository
) -> None:
    run = complete_run_with_calls(repository)

    turns = [span for span in tree(export(run)) if "chat" in span[0]]

    assert turns == [("  chat m", 0, 3), ("  chat m", 63.5, 70)]


def tokens(spans: Sequence[dict[str, Any]], kind: str) -> list[tuple[str, int]]:
    """The spans that have such tokens, with their number."""
    name = f"gen_ai.usage.{kind}"
    return [(each["name"], each["attributes"][name]) for each in spans if name in each["attributes"]]


def test_each_turn_has_its_tokens_and_the_run_their_sum_under_a_name_of_ours(
    export: Export, repository: InMemoryRunRepository
) -> None:
    """Receivers add up the tokens of all spans."""
    spans = export(complete_run_with_calls(repository), LOG)

    assert tokens(spans, "input_tokens") == [("chat m", 100), ("chat m", 200)]
    assert tokens(spans, "output_tokens") == [("chat m", 20), ("chat m", 50)]
    assert tokens(spans, "cache_read.input_tokens")[1] == ("chat m", SECOND_TURN.cached_tokens)
    assert tokens(spans, "cache_creation.input_tokens")[1] == ("chat m", SECOND_TURN.cache_write_tokens)
    assert tokens(spans, "reasoning.output_tokens")[1] == ("chat m", SECOND_TURN.reasoning_tokens)
    turns = [span["attributes"]["upcall.usage.usd"] for span in spans if span["name"] == "chat m"]
    assert turns == [0.001, 0.002]
    root = spans[0]["attributes"]
    assert (root["upcall.run.input_tokens"], root["upcall.run.output_tokens"]) == (300, 70)
    assert root["upcall.run.usd"] == 0.003


def test_without_a_log_only_a_single_turn_has_its_tokens_and_otherwise_the_run(
    export: Export, repository: InMemoryRunRepository
) -> None:
    with_calls = export(complete_run_with_calls(repository))
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    single = export(repository.complete_run(run, Message(text="Done.", usage=FIRST_TURN), at(5)))

    assert tokens(with_calls, "input_tokens") == [("invoke_agent summarizer", 300)]
    assert tokens(single, "input_tokens") == [("chat m", 100)]


def test_the_run_is_described_without_what_anybody_wrote(
    export: Export, repository: InMemoryRunRepository, send_spans: FakeSpanSender
) -> None:
    run = complete_run_with_calls(
        repository,
        prompt="A secret.",
        instructions="Be secret.",
        metadata={"ticket": "4711"},
        temperature=0.5,
        max_output_tokens=1000,
    )

    attributes = export(run, LOG)[0]["attributes"]

    assert attributes.pop("upcall.run.aws_usd") > 0
    assert attributes == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.provider.name": "openai",
        "gen_ai.agent.name": "summarizer",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 1000,
        "upcall.run.id": run.run_id,
        "upcall.run.status": "completed",
        "upcall.run.api": "responses",
        "upcall.run.attempt": 1,
        "upcall.run.rounds": 1,
        "upcall.run.tool_calls": 3,
        "upcall.run.waited_seconds": 60,
        "upcall.run.input_tokens": 300,
        "upcall.run.output_tokens": 70,
        "upcall.run.usd": 0.003,
    }
    text = json.dumps(send_spans.requests)
    for written in (
        "secret",
        "4711",
        "Done.",
        "A page.",
        "example.com",
        "Paid.",
        '"ann"',
        "amount",
        "anybody",
    ):
        assert written not in text


def test_calls_say_what_they_are_and_who_answered(export: Export, repository: InMemoryRunRepository) -> None:
    spans = export(complete_run_with_calls(repository), LOG)

    assert named(spans, "execute_tool lookup")["attributes"] == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.type": "function",
        "gen_ai.tool.name": "lookup",
        "gen_ai.tool.call.id": "call_c",
        "upcall.call.id": "1-3",
        "upcall.call.by_caller": True,
    }
    assert named(spans, "approval refund")["attributes"] == {
        "gen_ai.tool.name": "refund",
        "gen_ai.tool.call.id": "call_b",
        "upcall.call.id": "1-2",
        "upcall.approval.decision": "approve",
    }
    assert named(spans, "execute_tool refund")["attributes"]["upcall.call.by_caller"] is False
    assert {span["kind"] for span in spans if span["name"].startswith("chat")} == {3}
    assert {span["kind"] for span in spans if not span["name"].startswith("chat")} == {1}


def test_the_service_is_the_stack(
    export: Export, repository: InMemoryRunRepository, send_spans: FakeSpanSender
) -> None:
    export(complete_run_with_calls(repository))

    (resource,) = send_spans.requests[0]["resourceSpans"]
    assert attributes_of(resource["resource"]) == {"service.name": "upcall-test"}


def test_the_same_ids_are_sent_again_and_another_attempt_has_others(
    export: Export, repository: InMemoryRunRepository
) -> None:
    run = complete_run_with_calls(repository)
    assert export(run, LOG) == export(run, LOG)

    failed = repository.record_failure(repository.add_run(new_run()), FAILURE, USAGE, at(1))
    (first,) = export(failed)
    reopened = repository.reopen_run(failed, None)
    (second,) = export(repository.record_failure(reopened, FAILURE, USAGE, at(2)))
    assert first["traceId"] != second["traceId"]
    assert first["spanId"] != second["spanId"]


def test_every_span_has_an_id_of_its_own(export: Export, repository: InMemoryRunRepository) -> None:
    spans = [
        *export(complete_run_with_calls(repository), LOG),
        *export(complete_run_with_calls(repository)),
    ]

    assert len({span["spanId"] for span in spans}) == len(spans)
    assert len({span["traceId"] for span in spans}) == 2
    assert all(len(span["spanId"]) == 16 and len(span["traceId"]) == 32 for span in spans)


def test_the_trace_of_the_caller_is_continued(export: Export, repository: InMemoryRunRepository) -> None:
    run = complete_run_with_calls(repository, traceparent=f"00-{TRACE_ID}-{PARENT_ID}-01")

    root, *children = export(run, LOG)

    assert {span["traceId"] for span in (root, *children)} == {TRACE_ID}
    assert root["parentSpanId"] == PARENT_ID
    assert {span["parentSpanId"] for span in children} == {root["spanId"]}
    assert root["flags"] == 0x301, "sampled, and the parent is remote"
    assert {span["flags"] for span in children} == {0x101}


def test_a_trace_of_its_own_has_no_parent(export: Export, repository: InMemoryRunRepository) -> None:
    assert "parentSpanId" not in export(complete_run_with_calls(repository))[0]


def test_nothing_is_sent_if_the_caller_does_not_record_its_trace(
    export: Export, repository: InMemoryRunRepository, send_spans: FakeSpanSender
) -> None:
    export(complete_run_with_calls(repository, traceparent=f"00-{TRACE_ID}-{PARENT_ID}-00"))

    assert send_spans.requests == []


@pytest.mark.parametrize("is_created", [True, False], ids=["in progress", "deleted"])
def test_nothing_is_sent_of_a_run_that_has_not_ended_or_is_gone(
    export: Export, repository: InMemoryRunRepository, send_spans: FakeSpanSender, is_created: bool
) -> None:
    """Whoever may put events on the bus could publish its end."""
    run = repository.add_run(new_run())
    if is_created:
        repository.record_creation(run, UPSTREAM_RUN, "polled")
    else:
        repository.delete_run(run.run_id)

    export(run)

    assert send_spans.requests == []


@pytest.mark.parametrize("events", [True, False], ids=["events", "no events"])
@pytest.mark.parametrize("status", ["failed", "incomplete", "expired"])
def test_a_failed_run_and_its_last_turn_are_errors_with_the_failures_code(
    export: Export, repository: InMemoryRunRepository, status: str, events: bool
) -> None:
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    failure = Failure.model_validate({"status": status, "code": "server_error", "message": "It broke."})
    run = repository.record_failure(run, failure, USAGE, at(5))
    log = [logged("run.queued", 0), logged("run.in_progress", 1), logged(f"run.{status}", 5)]

    root, turn = export(run, log if events else ())

    assert root["attributes"]["error.type"] == turn["attributes"]["error.type"] == "server_error"
    assert root["status"] == turn["status"] == {"code": 2}
    assert root["attributes"]["upcall.run.status"] == status


def test_a_run_that_was_never_created_upstream_has_no_turn(
    export: Export, repository: InMemoryRunRepository
) -> None:
    run = repository.record_failure(repository.add_run(new_run()), FAILURE, USAGE, at(5))

    assert tree(export(run)) == [("invoke_agent summarizer", 0, 5)]
    assert tree(export(run, [logged("run.queued", 0), logged("run.failed", 5)])) == tree(export(run))


def test_a_cancelled_run_is_no_error(export: Export, repository: InMemoryRunRepository) -> None:
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    failure = Failure(status="cancelled", code="cancelled", message="The run was cancelled.")

    spans = export(repository.record_failure(run, failure, USAGE, at(5)))

    assert [span["status"] for span in spans] == [{}, {}]
    assert spans[0]["attributes"]["upcall.run.status"] == "cancelled"


@pytest.mark.parametrize(("outcome", "error"), [("error", "tool_error"), ("unknown", "outcome_unknown")])
def test_a_call_that_failed_is_an_error(
    export: Export, repository: InMemoryRunRepository, outcome: str, error: str
) -> None:
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    answers = [entry(1, FETCH, ran(FETCH, outcome, "It broke.", at(2), 500))]
    repository.record_round(run, NEXT_UPSTREAM_RUN, answers, USAGE)
    run = repository.complete_run(repository.get_run(run.run_id), Message(text="Done."), at(4))

    span = named(export(run), "execute_tool fetch")

    assert span["status"] == {"code": 2}
    assert span["attributes"]["error.type"] == error


def test_a_call_that_was_never_made_takes_no_time_after_its_turn(
    export: Export, repository: InMemoryRunRepository
) -> None:
    """The model names a tool that does not exist."""
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    call = ToolCall(call_id="", name="x" * 1000, arguments="{")
    answers = [entry(1, call, ToolOutput(call_id="", outcome="error", output="There is no such tool."))]
    repository.record_round(run, NEXT_UPSTREAM_RUN, answers, USAGE)
    run = repository.complete_run(repository.get_run(run.run_id), Message(text="Done."), at(4))
    log = [
        logged("run.queued", 0),
        logged("run.in_progress", 1),
        logged("run.requires_action", 2, round=1),
        logged("round.ended", 3, round=1),
        logged("run.completed", 4),
    ]

    spans = tree(export(run, log))

    assert (f"  execute_tool {'x' * 128}", 2, 2) in spans


def deny_or_answer(
    repository: InMemoryRunRepository, waits_for: str, answer: CallAnswer, result: ToolOutput
) -> Run:
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    call = repository.open_call(run, open_call(1, REFUND, waits_for))
    repository.answer_call(run, call, answer)
    answers = [entry(1, REFUND, result, answer.decision)]
    repository.record_round(run, NEXT_UPSTREAM_RUN, answers, USAGE)
    return repository.complete_run(repository.get_run(run.run_id), Message(text="Done."), at(8000))


def test_a_denied_call_is_not_made(export: Export, repository: InMemoryRunRepository) -> None:
    denied = ToolOutput(call_id="call_b", outcome="error", output="Denied.", waited_seconds=597)
    spans = export(deny_or_answer(repository, "approval", approval(decision="deny"), denied))

    span = named(spans, "execute_tool refund")
    assert span["startTimeUnixNano"] == span["endTimeUnixNano"]
    assert span["attributes"]["error.type"] == "approval_denied"
    assert named(spans, "approval refund")["attributes"]["upcall.approval.decision"] == "deny"
    assert named(spans, "approval refund")["status"] == {}
    assert ("  approval refund", 3, (LATER - at(0)).total_seconds()) in tree(spans)


@pytest.mark.parametrize("waits_for", ["approval", "output"])
def test_a_call_that_nobody_answered_has_timed_out(
    export: Export, repository: InMemoryRunRepository, waits_for: str
) -> None:
    late = ToolOutput(call_id="call_b", outcome="error", output="Nobody answered.", waited_seconds=3600)
    answer = CallAnswer(output=late, answered_at=at(3604))

    spans = export(deny_or_answer(repository, waits_for, answer, late))

    errors = {span["name"]: span["attributes"].get("error.type") for span in spans}
    assert errors["execute_tool refund"] == "timeout"
    assert errors.get("approval refund", "timeout") == "timeout"


def test_an_error_that_the_caller_gives_is_one(export: Export, repository: InMemoryRunRepository) -> None:
    given = ToolOutput(call_id="call_b", outcome="error", output="No such order.", waited_seconds=597)
    answer = CallAnswer(output=given, answered_at=LATER)

    span = named(export(deny_or_answer(repository, "output", answer, given)), "execute_tool refund")

    assert span["attributes"]["error.type"] == "tool_error"


def test_calls_that_wait_when_the_run_ends_are_in_the_trace(
    export: Export, repository: InMemoryRunRepository
) -> None:
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    answered = repository.open_call(run, open_call(1, FETCH, "output"))
    repository.answer_call(run, answered, output().model_copy(update={"answered_at": at(10)}))
    repository.open_call(run, open_call(2, REFUND, "approval"))
    repository.open_call(run, open_call(3, LOOKUP, "output"))
    run = repository.record_failure(run, FAILURE, USAGE, at(20))

    spans = export(run)

    assert tree(spans) == [
        ("invoke_agent summarizer", 0, 20),
        ("  chat m", 0, 3),
        ("  execute_tool fetch", 3, 10),
        ("  approval refund", 3, 20),
        ("  execute_tool lookup", 3, 20),
    ]
    errors = {span["name"]: span["attributes"].get("error.type") for span in spans}
    assert errors == {
        "invoke_agent summarizer": FAILURE.code,
        "chat m": None,
        "execute_tool fetch": None,
        "approval refund": "unanswered",
        "execute_tool lookup": "unanswered",
    }


def test_a_second_attempt_is_a_trace_without_what_was_done_before(
    export: Export, repository: InMemoryRunRepository
) -> None:
    run = repository.add_run(new_run())
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    answers = [entry(1, FETCH, ran(FETCH, "ok", "A page.", at(2), 1000))]
    repository.record_round(run, NEXT_UPSTREAM_RUN, answers, FIRST_TURN)
    failed = repository.record_failure(repository.get_run(run.run_id), FAILURE, USAGE, at(5))
    reopened = repository.reopen_run(failed, None)
    repository.record_creation(reopened, UPSTREAM_RUN, "polled")
    message = Message(text="Done.", usage=SECOND_TURN)
    run = repository.complete_run(repository.get_run(run.run_id), message, at(110))
    log = [
        logged("run.queued", 0, attempt=1),
        logged("run.in_progress", 1),
        logged("run.requires_action", 2, round=1),
        logged("round.ended", 3, round=1, usage=FIRST_TURN),
        logged("run.failed", 5, usage=FIRST_TURN + USAGE),
        logged("run.queued", 100, attempt=2),
        logged("run.in_progress", 101),
        logged("run.completed", 110),
    ]

    spans = export(run, log)

    assert tree(spans) == [("invoke_agent summarizer", 100, 110), ("  chat m", 101, 110)]
    assert tokens(spans, "input_tokens") == [("chat m", SECOND_TURN.input_tokens)]


def test_content_is_sent_once_if_it_is_switched_on(export: Export, repository: InMemoryRunRepository) -> None:
    run = complete_run_with_calls(
        repository, prompt="Go, äö.", instructions="Be brief.", metadata={"ticket": "4711"}
    )

    spans = export(run, LOG, with_content=True)

    root = spans[0]["attributes"]
    part = {"type": "text", "content": "Go, äö."}
    assert json.loads(root["gen_ai.input.messages"]) == [{"role": "user", "parts": [part]}]
    assert json.loads(root["gen_ai.system_instructions"]) == [{"type": "text", "content": "Be brief."}]
    done = {"role": "assistant", "parts": [{"type": "text", "content": "Done."}], "finish_reason": "stop"}
    assert json.loads(root["gen_ai.output.messages"]) == [done]
    assert root["upcall.metadata.ticket"] == "4711"
    refund = named(spans, "execute_tool refund")["attributes"]
    assert refund["gen_ai.tool.call.arguments"] == REFUND.arguments
    assert refund["gen_ai.tool.call.result"] == "Paid."
    assert refund["upcall.approval.decided_by"] == "ann"
    text = json.dumps(spans, ensure_ascii=False)
    for written in ("Go, äö.", "Be brief.", "Done.", "A page.", "Paid."):
        assert text.count(written) == 1
    assert "upcall.content.truncated" not in text


def test_the_message_of_a_failure_is_content(export: Export, repository: InMemoryRunRepository) -> None:
    run = repository.record_failure(repository.add_run(new_run()), FAILURE, USAGE, at(5), "Once upon")

    assert export(run)[0]["status"] == {"code": 2}
    (root,) = export(run, with_content=True)
    assert root["status"] == {"code": 2, "message": "It broke."}
    assert "Once upon" in root["attributes"]["gen_ai.output.messages"]


def test_long_texts_are_cut_and_a_trace_has_a_maximum(
    export: Export, repository: InMemoryRunRepository, send_spans: FakeSpanSender
) -> None:
    run = repository.add_run(new_run(prompt="p" * (MAX_TEXT_CHARACTERS + 1)))
    repository.record_creation(run, UPSTREAM_RUN, "polled")
    answers = [entry(n, FETCH, ran(FETCH, "ok", "o" * 20_000, at(2), 1000)) for n in range(1, 601)]
    repository.record_round(run, NEXT_UPSTREAM_RUN, answers, FIRST_TURN)
    run = repository.complete_run(repository.get_run(run.run_id), Message(text="m" * 10), at(5))

    root, _, _, *calls = export(run, with_content=True)

    (message,) = json.loads(root["attributes"]["gen_ai.input.messages"])
    assert message["parts"][0]["content"] == "p" * MAX_TEXT_CHARACTERS
    assert root["attributes"]["upcall.content.truncated"] is True
    lengths = [len(call["attributes"]["gen_ai.tool.call.result"]) for call in calls]
    assert (len(lengths), lengths[0], lengths[-1]) == (600, MAX_TEXT_CHARACTERS, 0)
    assert all(call["attributes"]["upcall.content.truncated"] for call in calls)
    assert len(json.dumps(send_spans.requests[0])) < MAX_TRACE_CHARACTERS + 1_000_000


@pytest.mark.parametrize("error", [TransientError("503"), RequestRejected("400")])
def test_an_error_of_the_receiver_is_passed_on(
    export: Export, repository: InMemoryRunRepository, send_spans: FakeSpanSender, error: Exception
) -> None:
    send_spans.error = error

    with pytest.raises(type(error), match=str(error)):
        export(complete_run_with_calls(repository))


def test_spans_that_the_receiver_rejects_are_not_sent_again(
    export: Export, repository: InMemoryRunRepository, send_spans: FakeSpanSender
) -> None:
    send_spans.rejected = 3

    assert export(complete_run_with_calls(repository))


def test_the_type_of_the_output_is_named_if_the_request_asks_for_one(
    export: Export, repository: InMemoryRunRepository
) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}

    with_schema = export(complete_run_with_calls(repository, response_format=schema))[0]["attributes"]

    assert with_schema["gen_ai.output.type"] == "json"
    assert "gen_ai.output.type" not in export(complete_run_with_calls(repository))[0]["attributes"]
