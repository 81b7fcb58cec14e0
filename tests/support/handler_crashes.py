"""Every handler, who runs it again when it was killed, what then holds, and the test in `test_killed.py` that shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

WORKFLOW = "the workflow, twice; then the run fails"
CALLER = "the caller"
QUEUE = "the queue"

_ROUND = "test_each_tool_runs_once_for_the_run_that_is_followed_and_one_message_is_stored"


@dataclass(frozen=True)
class Handler:
    """Who runs a handler again and what then holds; `test` is empty for those that only read."""

    again: str
    holds: str
    test: str = ""

    @property
    def changes(self) -> bool:
        """Whether it does more than read."""
        return bool(self.test)


def _reads(again: str = CALLER) -> Handler:
    return Handler(again, "it only reads: the same answer")


HANDLERS: Mapping[str, Handler] = {
    "start_run": Handler(
        "the caller, with the same idempotency key; without one, the sweeper has the first run started, too",
        "one run, started once",
        "test_start_run",
    ),
    "start_run_from_event": Handler(QUEUE, "one run, started once", "test_start_run_from_event"),
    "create_run": Handler(
        WORKFLOW,
        "one run is followed; what a dead try has begun upstream without telling its id comes to its end by itself, "
        "and no tool is called for it",
        _ROUND,
    ),
    "poll_run": _reads(WORKFLOW),
    "submit_tool_outputs": Handler(WORKFLOW, "one round in the ledger, one is followed", _ROUND),
    "save_message": Handler(WORKFLOW, "one message, whole", _ROUND),
    "record_failure": Handler(
        "the workflow, twice; then close_run does it",
        "one failure, nothing goes on upstream",
        "test_record_failure",
    ),
    "close_run": Handler(
        QUEUE,
        "one ending, nothing goes on upstream; announced twice where it died before it had noted that it has announced",
        "test_close_run",
    ),
    "sweep_runs": Handler(
        "the next sweep", "each lost run is resumed once, or closed once", "test_sweep_runs"
    ),
    "call_back": Handler(QUEUE, "posted at least once, under one id", "test_call_back"),
    "cancel_run": Handler(
        CALLER, "cancelled here, upstream and in the workflow, and announced", "test_cancel_run"
    ),
    "retry_run": Handler(
        f"{CALLER}; if not, the next sweep", "one more attempt, started once", "test_retry_run"
    ),
    "get_run": _reads(),
    "list_runs": _reads(),
    "list_calls": _reads(),
    "list_tools": _reads(),
    "list_assistants": _reads(),
    "describe_api": _reads(),
}
"""By the names of their files."""


def table() -> str:
    """All handlers, in Markdown."""
    lines = ["| handler | is run again by | then |", "| --- | --- | --- |"]
    lines += [f"| {name} | {each.again} | {each.holds} |" for name, each in HANDLERS.items()]
    return "\n".join(lines) + "\n"
