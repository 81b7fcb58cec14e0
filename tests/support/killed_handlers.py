"""Every handler, what invokes it again after it was killed, what holds then, and the test that shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

WORKFLOW = "the workflow, twice; then the run fails"
BATCH_WORKFLOW = "the workflow of batches"
CALLER = "the caller"
QUEUE = "the queue"

_ROUND = "test_each_tool_runs_once_and_one_message_is_stored"


@dataclass(frozen=True)
class Handler:
    """What invokes a handler again and what holds then. `test` is empty for handlers that only read."""

    invoked_again_by: str
    result: str
    test: str = ""

    @property
    def writes(self) -> bool:
        """Whether it does more than read."""
        return bool(self.test)


def _reader(invoked_again_by: str = CALLER) -> Handler:
    return Handler(invoked_again_by, "it only reads: the same response")


HANDLERS: Mapping[str, Handler] = {
    "start_run": Handler(
        "the caller, with the same idempotency key; without a key, the sweeper starts the first run as well",
        "one run, started once",
        "test_start_run",
    ),
    "start_run_from_event": Handler(QUEUE, "one run, started once", "test_start_run_from_event"),
    "create_run": Handler(
        WORKFLOW,
        "one run is followed; a run that was created upstream and whose id was lost ends by itself, and no tool is "
        "called for it",
        _ROUND,
    ),
    "poll_run": Handler(WORKFLOW, "the requested calls are written down once", _ROUND),
    "wait_for_change": Handler(
        WORKFLOW, "one token is stored, which the next webhook finds", "test_wait_for_change"
    ),
    "receive_webhook": Handler(
        "OpenAI, which sends the message again",
        "the task is completed once",
        "test_receive_webhook",
    ),
    "wait_for_answer": Handler(
        WORKFLOW,
        "the call waits with the newest token; the event is published twice if the handler is killed before it has "
        "recorded that it was published",
        "test_wait_for_answer",
    ),
    "receive_decision": Handler(
        "the person, who sends the decision again; otherwise the next sweep delivers what is written down",
        "one decision, and the tool runs once",
        "test_receive_decision",
    ),
    "receive_tool_outputs": Handler(
        f"{CALLER}; otherwise the next sweep delivers what is written down",
        "each call has one output",
        "test_receive_tool_outputs",
    ),
    "submit_tool_outputs": Handler(WORKFLOW, "one round in the ledger, one run is followed", _ROUND),
    "save_message": Handler(WORKFLOW, "one complete message", _ROUND),
    "record_failure": Handler(
        "the workflow, twice; then close_run does its work",
        "one failure, nothing is left running upstream",
        "test_record_failure",
    ),
    "close_run": Handler(
        QUEUE,
        "one terminal status, nothing is left running upstream; the event is published twice if the handler is killed "
        "before it has recorded that it was published",
        "test_close_run",
    ),
    "sweep_runs": Handler(
        "the next sweep", "each lost run is resumed once, or closed once", "test_sweep_runs"
    ),
    "sweep_batches": Handler(
        "the next sweep", "each lost batch goes on in one execution, or is cancelled", "test_sweep_batches"
    ),
    "deliver_callback": Handler(
        QUEUE, "delivered at least once, always with the same id", "test_deliver_callback"
    ),
    "export_trace": Handler(QUEUE, "sent at least once, always with the same ids", "test_export_trace"),
    "cancel_run": Handler(
        CALLER, "cancelled here, upstream and in the workflow, and the event is published", "test_cancel_run"
    ),
    "retry_run": Handler(
        f"{CALLER}; otherwise the next sweep", "one more attempt, started once", "test_retry_run"
    ),
    "start_batch": Handler(
        f"{CALLER}, with the same idempotency key", "one batch, started once", "test_start_batch"
    ),
    "prepare_batch": Handler(
        BATCH_WORKFLOW, "the same copy of the inputs, counted once", "test_prepare_batch"
    ),
    "start_batch_run": Handler(
        BATCH_WORKFLOW, "one run of the line, which completes the newest task", "test_start_batch_run"
    ),
    "cancel_batch": Handler(CALLER, "one execution works on it, and ends it", "test_cancel_batch"),
    "cancel_batch_runs": Handler(BATCH_WORKFLOW, "each run is cancelled", "test_cancel_batch_runs"),
    "write_batch_results": Handler(
        BATCH_WORKFLOW,
        "one result for each line; the event is published twice if the handler is killed before it has recorded the "
        "end of the batch",
        "test_write_batch_results",
    ),
    "get_run": _reader(),
    "list_runs": _reader(),
    "list_calls": _reader(),
    "list_events": _reader(),
    "get_message": _reader(),
    "list_batches": _reader(),
    "get_batch": _reader(),
    "get_batch_results": _reader(),
    "list_tools": _reader(),
    "list_assistants": _reader(),
    "describe_api": _reader(),
}
"""By the names of their files."""


def table() -> str:
    """All handlers, in Markdown."""
    lines = ["| handler | is invoked again by | result |", "| --- | --- | --- |"]
    lines += [f"| {name} | {each.invoked_again_by} | {each.result} |" for name, each in HANDLERS.items()]
    return "\n".join(lines) + "\n"
