"""The states of the workflows' definitions, including those inside of Map states."""

import re
from collections.abc import Iterator
from typing import Any

from support.templates import TEMPLATE

RUN, BATCH = "RunStateMachine", "BatchStateMachine"


def _definition(machine: str) -> dict[str, Any]:
    """A definition, in which each substitution is replaced with its own name."""
    names = re.findall(r"\$\{(\w+)\}", TEMPLATE.definitions[machine])
    return TEMPLATE.workflow(machine, {f"Substitution{name}": name for name in names})


WORKFLOW = _definition(RUN)
BATCH_WORKFLOW = _definition(BATCH)


def machines(machine: dict[str, Any], name: str = "run") -> Iterator[tuple[str, dict[str, Any]]]:
    """A workflow, and the workflows inside of its Map and Parallel states."""
    yield name, machine
    for state_name, state in machine["States"].items():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"], state_name)
        for number, branch in enumerate(state.get("Branches", []), start=1):
            yield from machines(branch, f"{state_name} {number}")


def tasks(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The Task states of a workflow, with their names."""
    for _, part in machines(machine):
        for name, state in part["States"].items():
            if state["Type"] == "Task":
                yield name, state


def is_lambda(state: dict[str, Any]) -> bool:
    """Whether a Task state invokes a function. Otherwise it calls another AWS service."""
    return ":lambda:invoke" in str(state["Resource"])


def waits_for_token(state: dict[str, Any]) -> bool:
    """Whether a Task state ends when somebody completes it with its token."""
    return str(state["Resource"]).endswith(".waitForTaskToken")


MACHINES = dict(machines(WORKFLOW))
TASKS = list(tasks(WORKFLOW))
LAMBDAS = [(name, state) for name, state in TASKS if is_lambda(state)]

ALL_MACHINES = {**MACHINES, **dict(machines(BATCH_WORKFLOW, "batch"))}
ALL_TASKS = [*TASKS, *tasks(BATCH_WORKFLOW)]
ALL_LAMBDAS = [(name, state) for name, state in ALL_TASKS if is_lambda(state)]
"""The same of both workflows."""
