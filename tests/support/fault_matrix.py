"""The fault matrix: every Task of the workflow with every fault, and how the run ends.

It is generated from the workflow's definition: a fault is retried if the state's Retry names it, and caught if its
Catch names it. `python -m support.fault_matrix FILE` writes the page about it to a file and prints it.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from local.openai_emulator import Call, CallTools, Fail, FailAtFirst, Hang, Say, Step
from support.killed_handlers import table as handlers_table
from support.lambda_faults import (
    ENORMOUS_RESULT,
    FUNCTION_ERROR,
    MALFORMED_RESULTS,
    NO_FIELDS,
    OUT_OF_MEMORY,
    SERVICE_ERROR,
    THROTTLED,
    TIMEOUT,
    TRANSIENT_ERROR,
    Fault,
    MalformedResult,
    When,
)
from support.workflow_definition import TASKS, waits_for_token
from upcall.domain.upstream_run import RunApiName

Status = Literal["completed", "failed"]

FAULTS_BY_COLUMN: Mapping[str, Sequence[Fault]] = {
    "throttled": (THROTTLED,),
    "service error": (SERVICE_ERROR,),
    "time-out": (TIMEOUT,),
    "out of memory": (OUT_OF_MEMORY,),
    "function error": (FUNCTION_ERROR,),
    "`TransientError`": (TRANSIENT_ERROR,),
    "malformed result": MALFORMED_RESULTS,
    "enormous result": (ENORMOUS_RESULT,),
}
"""The faults of a function, by their column of the table."""

CALL_TOOL = CallTools((Call.of("notify", message="It was read."),))
DONE = Say("Done.")
SERVER_ERROR = Fail("server_error", "Sorry.")


@dataclass(frozen=True)
class Case:
    """A Task of the workflow, a fault, and when it happens: before the work or after it, once or always.

    With `repeats_turn` the first turn of the run fails upstream for a reason that passes, and the fault happens when it
    is requested again.
    """

    state: str
    column: str
    fault: Fault
    when: When
    always: bool
    api: RunApiName = "responses"
    repeats_turn: bool = False

    @property
    def id(self) -> str:
        """The name of the test."""
        parts = [self.api, self.state, self.fault.name, self.when, "always" if self.always else "once"]
        if self.repeats_turn:
            parts.append("turn requested again")
        return "-".join(parts).replace(" ", "_")

    @property
    def is_recovered(self) -> bool:
        """Whether the Task succeeds in the end, because the workflow's Retry names the fault."""
        return not self.always and _is_retried(self.state, self.fault)

    @property
    def is_ignored(self) -> bool:
        """Whether nobody reads the malformed result: the task was completed with its token."""
        return isinstance(self.fault, MalformedResult) and waits_for_token(STATES[self.state])

    @property
    def status(self) -> Status:
        """The status that the run must end with."""
        if self.state == "Record failure":
            return "failed"
        if self.is_recovered or self.state in ("Call tool", APPROVAL_STATE) or self.is_ignored:
            return "completed"
        return "completed" if self.state == "Save message" and self.when == "after" else "failed"

    @property
    def execution_fails(self) -> bool | None:
        """Whether the fault ends the execution, so that close_run must end the run. None if both may happen.

        A malformed result makes the first expression that reads it fail, in this state or in the next one. An
        enormous result fails the state. moto lets that be caught, AWS does not.
        """
        if self.is_ignored:
            return False
        if isinstance(self.fault, MalformedResult) and self.state != "Call tool":
            return None
        return not self.is_recovered and "Catch" not in STATES[self.state]

    @property
    def is_pushed(self) -> bool:
        """Whether the run waits for webhooks."""
        return self.state == PUSHED_STATE

    @property
    def assistant(self) -> str:
        """The assistant whose tools the model calls."""
        return "announcer" if self.needs_approval else "messenger"

    @property
    def needs_approval(self) -> bool:
        """Whether the call waits for a person, who approves it."""
        return self.state == APPROVAL_STATE

    @property
    def steps(self) -> tuple[Step, ...]:
        """What the model does. If the run is to fail, the model is still working."""
        if self.state in SECONDS_OF_FIRST_TURN and self.status == "completed":
            first_turn = replace(CALL_TOOL, after_seconds=SECONDS_OF_FIRST_TURN[self.state])
            steps: tuple[Step, ...] = (first_turn, DONE)
        elif self.status == "completed" or self.state == "Save message":
            steps = (CALL_TOOL, DONE)
        else:
            steps = (CALL_TOOL, Hang()) if self.state == "Submit tool outputs" else (Hang(),)
        return (FailAtFirst(SERVER_ERROR, steps[0]), *steps[1:]) if self.repeats_turn else steps


STATES: Mapping[str, Any] = dict(TASKS)

PUSHED_STATE = "Wait for change"
"""Only runs that wait for webhooks enter it: after the first attempt of "Create run" has failed."""

APPROVAL_STATE = "Wait for answer"
"""Only calls that somebody outside must answer enter it."""

SECONDS_OF_FIRST_TURN: Mapping[str, float] = {"Poll run": 0.3, PUSHED_STATE: 1.0}
"""So that the model still works when the run enters the state."""

RUN_APIS_WITHOUT_WEBHOOKS = ("assistants",)


def _is_retried(state: str, fault: Fault) -> bool:
    retried = {name for rule in STATES[state].get("Retry", []) for name in rule["ErrorEquals"]}
    return not isinstance(fault, MalformedResult) and fault.name in retried


def _cases_of(state: str, api: RunApiName) -> Iterator[Case]:
    faults = [(column, fault) for column, several in FAULTS_BY_COLUMN.items() for fault in several]
    for column, fault in faults:
        for when in get_args(When):
            if when == "before" and isinstance(fault, MalformedResult):
                continue  # the result does not depend on whether the work was done
            if when == "after" and column == "throttled":
                continue  # a throttled invocation does not start
            for always in (False, True) if _is_retried(state, fault) else (False,):
                yield Case(state, column, fault, when, always, api)


ALL_CASES = [case for state in STATES for case in _cases_of(state, "responses")]
"""The whole matrix, for one run API."""

_DEPENDS_ON_API = {
    (SERVICE_ERROR.name, "after", False),
    (TIMEOUT.name, "before", False),
    (TIMEOUT.name, "after", False),
    (TRANSIENT_ERROR.name, "after", True),
    (NO_FIELDS.name, "after", False),
}
"""The faults for which the run API makes a difference: work is repeated, or work is left running."""

CASES_OF_OTHER_APIS = [
    case
    for api in ("assistants", "agents")
    for state in STATES
    for case in _cases_of(state, api)
    if not (case.is_pushed and api in RUN_APIS_WITHOUT_WEBHOOKS)
    and (case.fault.name, case.when, case.always) in _DEPENDS_ON_API
]

CASES_OF_REPEATED_TURNS = [
    replace(case, repeats_turn=True)
    for case in (*ALL_CASES, *CASES_OF_OTHER_APIS)
    if case.state == "Create run"
]

CASES = [*ALL_CASES, *CASES_OF_OTHER_APIS, *CASES_OF_REPEATED_TURNS]


PAGE = """\
# Failure modes

How a run ends after each fault that is tested. `make fault-matrix` runs all cases on the local stack and writes this page.
Its rows are generated from the workflow's definition and from `src/handlers`: a new Task or handler without a test fails
the tests.

After every case:

- the run has one terminal status, with one complete message or with a failure;
- no tool with the effect `once` was called twice;
- the ledger has each call once;
- nothing is left running upstream;
- the final event was published: once, or at least once where this page says so.

## The workflow's tasks

Each cell has the status of the run after the fault has happened once. If the status differs when the fault happens every
time, it follows after the arrow. "Not done" means that the fault happens before the function has done its work, "done"
that the work is done and the result is lost.

{tasks}
- `*`: the execution fails, and `close_run` records the failure, cancels the run upstream and publishes the event if that was
  not done. `(*)`: the execution may fail. A malformed result makes the first expression that reads it fail. An enormous
  result cannot be caught on AWS.
- Functions raise `TransientError` if OpenAI or the table is not available. The workflow's Retry names it.
- A handler that ran out of time or memory is invoked again. A tool is not, because it may have taken effect.
- The failure of a tool is an output that the model reads. A run that reaches "Record failure" fails in any case.
- "Save message" and "Record failure" publish the final event and write that down. If the function dies in between, the
  event is published again.
- The tasks "Create run", "Wait for change", "Wait for answer" and "Submit tool outputs" are completed with their token, so
  nobody reads what their functions return.
- "Wait for answer" is tested with a call that a person approves as soon as it is shown. If the state fails, nobody can be
  asked: the tool does not run, and the model reads that.
- Only runs with webhooks enter "Wait for change". They enter it after the first attempt of "Create run" has failed. All
  other cases are tested with runs that are polled.
- All cases are tested with the Responses API. The other two are tested with the faults for which the run API makes a
  difference. The Assistants API has no webhooks.
- The cases of "Create run" are also tested when it requests a turn again that failed upstream. The results are the same.

## Handlers that are killed at any of their requests

{handlers}"""


def page() -> str:
    """The page about the matrix, in Markdown."""
    return PAGE.format(tasks=tasks_table(), handlers=handlers_table())


def tasks_table() -> str:
    """The whole matrix, in Markdown: two rows for each Task, before and after its work."""
    lines = [_row("state", "its work", *FAULTS_BY_COLUMN), _row(*["---"] * (len(FAULTS_BY_COLUMN) + 2))]
    for state in STATES:
        for when, work in (("before", "not done"), ("after", "done")):
            cases = [case for case in ALL_CASES if (case.state, case.when) == (state, when)]
            cells = [_cell([case for case in cases if case.column == column]) for column in FAULTS_BY_COLUMN]
            lines.append(_row(state, work, *cells))
    return "\n".join(lines) + "\n"


def _cell(cases: Sequence[Case]) -> str:
    """The status after one fault, and the status after the fault happened every time if it differs."""
    once, always = [case for case in cases if not case.always], [case for case in cases if case.always]
    statuses = [" or ".join(dict.fromkeys(map(_status, group))) for group in (once, always) if group]
    return " → ".join(dict.fromkeys(statuses)) or "–"


def _status(case: Case) -> str:
    return case.status + {True: "\\*", False: "", None: "(\\*)"}[case.execution_fails]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(page())
    Path(sys.argv[1]).write_text(page(), "utf-8")
