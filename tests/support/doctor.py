"""The findings of `upcall doctor` on a stack that a test has changed."""

from dataclasses import replace

from cli.doctor.deployed_stack import DeployedStack, Resource
from cli.doctor.finding import Finding
from cli.doctor.run_checks import Check, run_check


def findings(check: Check, stack: DeployedStack) -> list[Finding]:
    """All findings of a check."""
    return list(run_check("check", "service", check, stack))


def statuses(check: Check, stack: DeployedStack) -> dict[str, str]:
    """The status of each finding."""
    return {each.check: each.status for each in findings(check, stack)}


def messages(check: Check, stack: DeployedStack) -> str:
    """The messages of all findings."""
    return " ".join(each.message for each in findings(check, stack))


def with_parameters(stack: DeployedStack, **parameters: str) -> DeployedStack:
    """The stack with these parameters."""
    return replace(stack, parameters={**stack.parameters, **parameters})


def with_resource(stack: DeployedStack, name: str, type_: str, identifier: str) -> DeployedStack:
    """The stack with one more resource."""
    return replace(stack, resources={**stack.resources, name: Resource(type_, identifier)})
