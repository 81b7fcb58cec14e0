"""The fault matrix: every Task of the workflow, whatever may befall it, and what becomes of the run.

It is generated from the workflow's definition: what is tried again is what the state's Retry names, and what is
caught is what its Catch names. `python -m support.fault_matrix FILE` prints it as a table, and writes it to a file.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from local.openai_emulator import (
    Call,
    CallTools,
    Hang,
    Say,
    Step,
)
from support.handler_crashes import table as handlers
from support.lambda_faults import (
    ENORMOUS,
    MALFORMED,
    OUT_OF_MEMORY,
    SERVICE_ERROR,
    STRANGE,
    THROTTLED,
    TIME_OUT,
    TRANSIENT,
    EventBridgeFault,
    Fault,
    Malformed,
    When,
)
from support.workflow_definition import TASKS, is_lambda
from upcall.domain.upstream_run import RunApiName

Status = Literal["completed", "failed"]

COLUMNS: Mapping[str, Sequence[Fault]] = {
    "throttled": (THROTTLED,),
    "service error": (SERVICE_ERROR,),
    "time-out": (TIME_OUT,),
    "out of memory": (OUT_OF_MEMORY,),
    "function error": (STRANGE,),
    "`TransientError`": (TRANSIENT,),
    "malformed result": MALFORMED,
    "enormous result": (ENORMOUS,),
}
"""What may befall a function, by the column of the table that it stands in."""

BUS_COLUMNS: Mapping[EventBridgeFault, str] = {
    "throttled": "throttled",
    "service error": "service error",
    "no answer": "time-out",
}
"""The same for an integration of a service, which has no memory to run out of, and no code of ours."""

ROUND = CallTools((Call.of("notify", message="It was read."),))
DONE = Say("Done.")


@dataclass(frozen=True)
class Case:
    """A Task of the workflow, what befalls it, and when: before its work or after it, once or always."""

    state: str
    column: str
    fault: Fault | EventBridgeFault
    when: When
    always: bool
    api: RunApiName = "responses"

    @property
    def id(self) -> str:
        """A name for the test."""
        name = self.fault if isinstance(self.fault, str) else self.fault.name
        words = (self.api, self.state, name, self.when, "always" if self.always else "once")
        return "-".join(words).replace(" ", "_")

    @property
    def survived(self) -> bool:
        """Whether the workflow's Retry gets over it."""
        return not self.always and _is_retried(self.state, self.fault)

    @property
    def status(self) -> Status:
        """How the run must end."""
        if self.state == "Record failure":
            return "failed"
        if self.survived or self.state in ("Call tool", "Announce"):
            return "completed"
        return "completed" if self.state == "Save message" and self.when == "after" else "failed"

    @property
    def closed(self) -> bool | None:
        """Whether the execution dies of it, so that close_run must end the run; None where either may be.

        A malformed result breaks the first expression that it meets, in this state or in the next one. An enormous
        one breaks the state: moto lets that be caught, AWS does not.
        """
        if isinstance(self.fault, Malformed) and self.state != "Call tool":
            return None
        return not self.survived and "Catch" not in _STATES[self.state]

    @property
    def steps(self) -> tuple[Step, ...]:
        """What the model does: it is still at work where the run is to fail."""
        if self.status == "completed" or self.state == "Save message":
            return (ROUND, DONE)
        return (ROUND, Hang()) if self.state == "Submit tool outputs" else (Hang(),)


_STATES: Mapping[str, Any] = dict(TASKS)


def _is_retried(state: str, fault: Fault | EventBridgeFault) -> bool:
    named = {name for rule in _STATES[state].get("Retry", []) for name in rule["ErrorEquals"]}
    if "States.ALL" in named:
        return True
    return not isinstance(fault, str | Malformed) and fault.name in named


def _cases_of(state: str, api: RunApiName) -> Iterator[Case]:
    faults: Iterable[tuple[str, Fault | EventBridgeFault]]
    if is_lambda(_STATES[state]):
        faults = [(column, fault) for column, several in COLUMNS.items() for fault in several]
    else:
        faults = [(BUS_COLUMNS[fault], fault) for fault in get_args(EventBridgeFault)]
    for column, fault in faults:
        for when in get_args(When):
            if when == "before" and isinstance(fault, Malformed):
                continue  # whether it has done its work does not show in what it gives
            if when == "after" and column == "throttled":
                continue  # what is throttled has not been begun
            for always in (False, True) if _is_retried(state, fault) else (False,):
                yield Case(state, column, fault, when, always, api)


WHOLE = [case for state in _STATES for case in _cases_of(state, "responses")]
"""The whole matrix, for one run API."""

_TELLING = {
    (SERVICE_ERROR.name, "after", False),
    (TIME_OUT.name, "before", False),
    (TIME_OUT.name, "after", False),
    (TRANSIENT.name, "after", True),
    (MALFORMED[3].name, "after", False),
}
"""What the run API can make a difference to: work that is repeated, and work that is left behind."""

OTHER_APIS = [
    case
    for api in ("assistants", "agents")
    for state, definition in TASKS
    if is_lambda(definition)
    for case in _cases_of(state, api)
    if not isinstance(case.fault, str) and (case.fault.name, case.when, case.always) in _TELLING
]
"""What is gone through for the other run APIs, too."""

CASES = [*WHOLE, *OTHER_APIS]


DOCUMENT = """\
# What may befall a run, and what becomes of it

`make fault-matrix` goes through all of this on the laptop cloud, and writes this page. The rows are those of the workflow's
definition and of the folder of handlers: a new one without a test fails the tests.

After each case there is one terminal record, or one message that is whole; no tool with the effect `once` was called
twice; the ledger has each call once; nothing goes on upstream; and the run was announced: once, or at least once where
that is said below.

## The workflow's tasks

What becomes of a run when a fault befalls a task once → and what when there is no end to it, if that is another. The
task's function has not done its work when it happens, or it has and its answer is lost.

{tasks}
- `*`: the execution dies of it, and `close_run` records, cancels upstream and announces what is not yet. `(*)`: it may,
  for what cannot be read breaks the first expression that meets it, and what is enormous cannot be caught on AWS.
- `TransientError` is what functions say when OpenAI or the table is not ready: the workflow's Retry names it.
- A handler that ran out of time or memory is invoked again; a tool is not, for nobody here knows what it has done.
- A tool's failure is an output that the model reads. A run that comes to "Record failure" was to fail anyway.
- The bus may have taken an announcement whose answer is lost: then there are two.
- All of it was gone through for the Responses API, and for the other two what a run API can make a difference to.

## Handlers that are killed between any two of their effects

{handlers}"""


def document() -> str:
    """The page about all of it."""
    return DOCUMENT.format(tasks=table(), handlers=handlers())


def table() -> str:
    """The whole matrix, in Markdown: a row for each Task, before and after its work."""
    lines = [_row("state", "its work", *COLUMNS), _row(*["---"] * (len(COLUMNS) + 2))]
    for state in _STATES:
        for when, words in (("before", "not done"), ("after", "done")):
            here = [case for case in WHOLE if (case.state, case.when) == (state, when)]
            cells = [_cell([case for case in here if case.column == column]) for column in COLUMNS]
            lines.append(_row(state, words, *cells))
    return "\n".join(lines) + "\n"


def _cell(cases: Sequence[Case]) -> str:
    """What becomes of the run: after one fault, and if it is another, when there is no end to them."""
    ends = [" or ".join(dict.fromkeys(map(_end, cases_))) for cases_ in _by_times(cases) if cases_]
    return " → ".join(dict.fromkeys(ends)) or "–"


def _by_times(cases: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    return [case for case in cases if not case.always], [case for case in cases if case.always]


def _end(case: Case) -> str:
    return case.status + {True: "\\*", False: "", None: "(\\*)"}[case.closed]


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    sys.stdout.write(document())
    Path(sys.argv[1]).write_text(document(), "utf-8")
