"""The estimated cost of a run: exact figures, and counts that are those of the repository and the use cases."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from math import ceil
from types import MappingProxyType
from typing import Any

import pytest
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from support.fakes.run_api import FakeRunApi
from support.fakes.senders import InMemoryEventPublisher
from support.fakes.tools import FakeTools
from support.fakes.waiting_requests import InMemoryWaitingRequests
from support.fakes.workflow import InMemoryWorkflow
from support.run_records import new_run

from cli import cost
from cli.execution_history import ExecutionUsage, Invocation
from cli.tool_call.function_settings import read_template
from upcall.aws.dynamodb import Item, Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.answers import DecisionRequest
from upcall.domain.caller import ANYBODY, Caller
from upcall.domain.execution import Execution
from upcall.domain.failure import Failure
from upcall.domain.prices import PriceList
from upcall.domain.run import Run
from upcall.domain.run_request import RunRequest
from upcall.domain.tool_calls import LedgerEntry, ToolCall, ToolOutput
from upcall.domain.upstream_errors import NO_ERRORS
from upcall.domain.upstream_run import UpstreamRun
from upcall.domain.usage import NO_USAGE, Usage
from upcall.use_cases.close_run import WORKFLOW_CAUSE, close_run
from upcall.use_cases.create_run import create_run
from upcall.use_cases.deliver_callback import deliver_callback
from upcall.use_cases.get_run import get_run
from upcall.use_cases.receive_decision import receive_decision
from upcall.use_cases.record_failure import record_failure
from upcall.use_cases.save_message import save_message
from upcall.use_cases.start_run import RunDefaults, start_run
from upcall.use_cases.submit_tool_outputs import submit_tool_outputs
from upcall.use_cases.wait_for_answer import wait_for_answer


@pytest.fixture
def small_items(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every item is billed as one of a kilobyte: what is compared is how often items are read and written."""
    monkeypatch.setattr(cost, "_kilobytes", lambda text: 1 if text else 0)


INDEXES = read_template()["Resources"]["RunTable"]["Properties"]["GlobalSecondaryIndexes"]
CALLER = Caller(ANYBODY, one_tenant=True)
UPSTREAM_RUN = UpstreamRun(run_api="responses", ids={"response_id": "resp_1"})


class CountingTable(Table):
    """A table in memory. It counts reads and writes."""

    def __init__(self) -> None:
        self._items: dict[tuple[str, str], Item] = {}
        self.writes = self.index_writes = self.reads = 0

    def get(self, pk: str, sk: str, *, consistent: bool = True) -> Item | None:  # noqa: ARG002
        self.reads += 1
        return self._items.get((pk, sk))

    def get_many(self, keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Item]:
        wanted = list(keys)
        self.reads += len(wanted)
        return {key: self._items[key] for key in wanted if key in self._items}

    def put(self, pk: str, sk: str, item: Item) -> None:
        self._write((pk, sk), item)

    def put_new(self, pk: str, sk: str, item: Item) -> bool:
        assert (pk, sk) not in self._items
        self._write((pk, sk), item)
        return True

    def update(
        self,
        pk: str,
        sk: str,
        fields: Item,
        *,
        remove: Any = (),
        add: Any = (),
        delete: Any = (),
        append: Any = MappingProxyType({}),
        **_: Any,
    ) -> bool:
        changed = {**self._items[pk, sk], **fields}
        for name in append:
            changed[name] = [*changed.get(name, ()), *append[name]]
        for name in add:
            changed[name] = list({*changed.get(name, ()), *add[name]})
        for name in delete:
            changed[name] = list({*changed[name]} - delete[name])
        self._write((pk, sk), {name: value for name, value in changed.items() if name not in remove})
        return True

    def query(self, pk: str, first: str, last: str) -> Iterator[Item]:
        self.reads += 1
        found = [key for key in sorted(self._items) if key[0] == pk and first <= key[1] <= last]
        return (self._items[key] for key in found)

    def _write(self, key: tuple[str, str], item: Item) -> None:
        self.writes += 1
        before = self._items.get(key, {})
        self.index_writes += sum(_entry(index, before) != _entry(index, item) for index in INDEXES)
        self._items[key] = item


def _call(round_number: int) -> ToolCall:
    return ToolCall(call_id=f"call_{round_number}", name="fetch", arguments="{}")


def _entry(index: Mapping[str, Any], item: Item) -> Item | None:
    """The entry of an item in an index. The repository changes no key of an entry, but removes one."""
    keys = [each["AttributeName"] for each in index["KeySchema"]]
    if not all(key in item for key in keys):
        return None
    projected = [*keys, *index["Projection"].get("NonKeyAttributes", ())]
    return {name: item.get(name) for name in projected}


class RunLifecycle:
    """Takes a run through the use cases, with the real repository on a counting table."""

    def __init__(self) -> None:
        self.table = CountingTable()
        self.repository = DynamoDBRunRepository(self.table, 30)
        self.run_api = FakeRunApi()
        self._wiring: dict[str, Any] = {
            "repository": self.repository,
            "get_run_api": self.run_api.get,
            "clock": FakeClock(),
        }
        self.publisher = InMemoryEventPublisher()
        self._ending: dict[str, Any] = {
            "batches": InMemoryBatchRepository(),
            "waiting_tasks": InMemoryWorkflow(),
        }

    def start(self, **fields: Any) -> str:
        run = start_run(
            RunRequest(prompt="Go.", **fields),
            CALLER,
            "key",
            defaults=RunDefaults("m", "responses"),
            workflow=InMemoryWorkflow(),
            check_callback_url=lambda _: None,
            **self._wiring,
        )
        create_run(
            run.run_id,
            "token",
            0,
            NO_ERRORS,
            may_wait=True,
            webhooks=False,
            window_seconds=0,
            one_tenant=True,
            tools=FakeTools(),
            rate_limits=InMemoryRateLimitRepository(),
            prices=PriceList(),
            **self._wiring,
        )
        return run.run_id

    def submit(self, run_id: str, round_number: int, *, waited: bool = False) -> None:
        call = _call(round_number)
        self.repository.record_requested_calls(run_id, round_number, [call], 0)
        waited_seconds = 0 if waited else None
        output = ToolOutput(call_id=call.call_id, outcome="ok", output="Text.", waited_seconds=waited_seconds)
        submit_tool_outputs(
            run_id,
            "token",
            UPSTREAM_RUN,
            round_number,
            [call],
            [output.model_dump()],
            Usage(total_tokens=3),
            0,
            NO_ERRORS,
            may_wait=True,
            window_seconds=0,
            one_tenant=True,
            tools=FakeTools(),
            rate_limits=InMemoryRateLimitRepository(),
            prices=PriceList(),
            **self._wiring,
        )

    def approve(self, run_id: str, round_number: int) -> None:
        call, workflow = _call(round_number), InMemoryWorkflow()
        wait_for_answer(
            run_id,
            "token",
            round_number,
            1,
            call,
            1000,
            ["fetch"],
            retention=timedelta(days=30),
            publisher=self.publisher,
            repository=self.repository,
            clock=FakeClock(),
        )
        receive_decision(
            run_id,
            f"{round_number}-1",
            DecisionRequest(decision="approve", arguments_digest=call.arguments_digest),
            replace(CALLER, may_decide=True),
            four_eyes=False,
            repository=self.repository,
            waiting_tasks=workflow,
            clock=FakeClock(),
        )

    def save_message(self, run_id: str) -> None:
        save_message(
            run_id, UPSTREAM_RUN, publisher=self.publisher, prices=PriceList(), **self._ending, **self._wiring
        )

    def fail(self, run_id: str) -> None:
        failure = Failure(code="server_error", message="It broke.")
        record_failure(
            run_id,
            failure,
            NO_USAGE,
            still_running=False,
            publisher=self.publisher,
            **self._ending,
            **self._wiring,
        )
        execution = Execution(name=run_id, status="FAILED", error="server_error", cause=WORKFLOW_CAUSE)
        close_run(execution, publisher=self.publisher, **self._ending, **self._wiring)

    def get(self, run_id: str) -> None:
        waiting_requests = InMemoryWaitingRequests()
        get_run(
            run_id,
            0,
            CALLER,
            repository=self.repository,
            waiting_requests=waiting_requests,
            clock=FakeClock(),
        )


@pytest.mark.usefixtures("small_items")
@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_reads_and_writes_of_a_completed_run_are_those_of_the_code(rounds: int) -> None:
    lifecycle = RunLifecycle()
    run_id = lifecycle.start()
    for number in range(1, rounds + 1):
        lifecycle.submit(run_id, number)
    lifecycle.save_message(run_id)
    lifecycle.get(run_id)
    table = lifecycle.table
    reads, writes, index_writes = table.reads, table.writes, table.index_writes
    run = lifecycle.repository.get_run(run_id)
    ledger, message = lifecycle.repository.get_ledger(run_id), lifecycle.repository.get_message(run)

    assert (run.status, run.round, len(ledger), message) == ("completed", rounds, rounds, "Done.")
    assert index_writes == cost.count_index_writes(run) == 8 + 2 * rounds
    assert writes + index_writes == cost.count_write_units(run, ledger, message)
    assert reads == cost.count_read_units(run, ledger, message) == 9 + rounds


@pytest.mark.usefixtures("small_items")
def test_reads_and_writes_of_a_run_with_an_approved_call_are_those_of_the_code() -> None:
    lifecycle = RunLifecycle()
    run_id = lifecycle.start()
    lifecycle.approve(run_id, 1)
    lifecycle.submit(run_id, 1, waited=True)
    lifecycle.save_message(run_id)
    lifecycle.get(run_id)
    table = lifecycle.table
    reads, writes, index_writes = table.reads, table.writes, table.index_writes
    run = lifecycle.repository.get_run(run_id)
    ledger, message = lifecycle.repository.get_ledger(run_id), lifecycle.repository.get_message(run)

    assert ledger[0].decision is not None
    assert index_writes == cost.count_index_writes(run) + cost.INDEX_WRITES_PER_ANSWER
    assert writes + index_writes == cost.count_write_units(run, ledger, message)
    assert reads == cost.count_read_units(run, ledger, message)


@pytest.mark.usefixtures("small_items")
def test_reads_of_a_callback_are_those_of_the_code() -> None:
    lifecycle = RunLifecycle()
    run_id = lifecycle.start(callback_url="https://example.com/")
    lifecycle.save_message(run_id)
    lifecycle.get(run_id)
    deliver_callback(run_id, None, repository=lifecycle.repository, send_webhook=lambda *_: None)
    reads = lifecycle.table.reads

    assert reads == cost.count_read_units(lifecycle.repository.get_run(run_id), [], "Done.") == 11


@pytest.mark.usefixtures("small_items")
def test_reads_and_writes_of_a_failed_run_are_those_of_the_code() -> None:
    lifecycle = RunLifecycle()
    run_id = lifecycle.start()
    lifecycle.fail(run_id)
    lifecycle.get(run_id)
    table = lifecycle.table
    reads, writes, index_writes = table.reads, table.writes, table.index_writes
    run = lifecycle.repository.get_run(run_id)

    assert run.status == "failed"
    assert index_writes == cost.count_index_writes(run) == 8
    assert writes + index_writes == cost.count_write_units(run, [], None)
    assert reads == cost.count_read_units(run, [], None) == 8


def completed_run(**fields: Any) -> Run:
    """The record of a completed run without tool calls."""
    ended = {"status": "completed", "intent": UPSTREAM_RUN, "upstream_run": UPSTREAM_RUN, "message_parts": 1}
    return new_run().model_copy(update={**ended, "ended_at": new_run().created_at, **fields})


def test_the_dollars_of_a_run_without_tool_calls() -> None:
    """Eight transitions, four functions of 256 MB for a second in all."""
    progress = ExecutionUsage([Invocation(name, 0.25) for name in "abcd"], transitions=8)
    dollars = cost.estimate_dollars(progress, {}, completed_run(), [], "Done.")

    expected = {
        "transitions": 8 * 0.000025,
        "Lambda": 0.25 * 0.0000133334,
        "Lambda requests": (4 + 2) * 0.0000002,
        "writes: key, record 4, indexes 8, message": (1 + 4 + 8 + 1) * 0.000000625,
        "reads: controls 3, record 4, message 2": (3 + 4 + 2) * 0.000000125,
        "HTTP API": 2 * 0.000001,
        "event": 0.000001,
    }
    assert dollars == pytest.approx(sum(expected.values()), rel=1e-9)
    assert dollars == pytest.approx(0.0002174083, abs=1e-9)


def test_a_callback_costs_a_queue_message_an_invocation_and_a_read_of_record_and_message() -> None:
    plain = cost.estimate_dollars(ExecutionUsage(), {}, completed_run(), [], "Done.")
    with_callback = completed_run(callback_url="https://example.com/")
    dollars = cost.estimate_dollars(ExecutionUsage(), {}, with_callback, [], "Done.")

    assert dollars - plain == pytest.approx(3 * 0.0000004 + 0.0000002 + 2 * 0.000000125)


def test_a_run_that_failed_costs_a_queue_message_and_an_invocation_for_close_run() -> None:
    failed = completed_run(status="failed")

    assert (cost.count_queue_messages(completed_run()), cost.count_queue_messages(failed)) == (0, 1)


def test_large_records_messages_and_outputs_are_written_by_the_kilobyte() -> None:
    small, large = completed_run(), completed_run(prompt="x" * 10_000)
    record = ceil(len(large.model_dump_json(exclude_none=True)) / 1024)

    assert cost.count_write_units(large, [], "Done.") - cost.count_write_units(small, [], "Done.") == 4 * (
        record - 1
    )
    assert cost.count_write_units(small, [], "x" * 2049) - cost.count_write_units(small, [], "Done.") == 2
    assert cost.count_read_units(large, [], "x" * 9000) == 3 + 4 * ceil(record / 4) + 2 * 3


def test_a_call_that_is_made_at_most_once_is_recorded_twice_more() -> None:
    def entry(tool: str) -> LedgerEntry:
        call = ToolCall(call_id="call_1", name=tool, arguments="{}")
        output = ToolOutput(call_id="call_1", outcome="ok", output="Sent.")
        return LedgerEntry(round=1, position=1, call=call, output=output)

    run = completed_run()
    once, pure = (cost.count_write_units(run, [entry(tool)], None) for tool in ("notify", "fetch"))

    assert once - pure == 2
    assert cost.count_write_units(run, [entry("unknown")], None) == pure
