"""The workflow's definition, taken apart: every state of it, those inside a Map too."""

import re
from collections.abc import Iterator
from typing import Any

from local.config import ROOT
from local.template import Template

TEMPLATE = Template(ROOT)
WORKFLOW = TEMPLATE.workflow(
    {f"Substitution{name}": name for name in re.findall(r"\$\{(\w+)\}", TEMPLATE.definition)}
)


def machines(machine: dict[str, Any], name: str = "run") -> Iterator[tuple[str, dict[str, Any]]]:
    """A workflow, and those inside each Map and Parallel."""
    yield name, machine
    for state_name, state in machine["States"].items():
        if "ItemProcessor" in state:
            yield from machines(state["ItemProcessor"], state_name)
        for number, branch in enumerate(state.get("Branches", []), start=1):
            yield from machines(branch, f"{state_name} {number}")


def tasks(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every Task state of a workflow, by its name."""
    for _, part in machines(machine):
        for name, state in part["States"].items():
            if state["Type"] == "Task":
                yield name, state


def is_lambda(state: dict[str, Any]) -> bool:
    """Whether a Task calls a function; else it is an integration of a service."""
    return str(state["Resource"]).endswith("lambda:invoke")


MACHINES = dict(machines(WORKFLOW))
TASKS = list(tasks(WORKFLOW))
LAMBDAS = [(name, state) for name, state in TASKS if is_lambda(state)]
