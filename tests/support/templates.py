"""The project's templates, read once per process."""

from typing import Any

from local.config import ROOT
from local.template import Template

TEMPLATE = Template(ROOT)

RESOURCES: dict[str, Any] = TEMPLATE.transformed["Resources"]
"""The resources of `template.yaml` after the SAM transformation, by logical id."""

FUNCTIONS: dict[str, dict[str, Any]] = {
    name: resource["Properties"]
    for name, resource in TEMPLATE.source["Resources"].items()
    if resource["Type"] == "AWS::Serverless::Function"
}
"""The properties of each function as `template.yaml` has them, by logical id."""

MONITORING = TEMPLATE.nested_templates()["Monitoring"]

CONSOLE = TEMPLATE.nested_templates()["ConsoleSite"]

MONITORING_PARAMETERS: dict[str, Any] = RESOURCES["Monitoring"]["Properties"]["Parameters"]
"""What `template.yaml` passes to `monitoring.yaml`."""

HANDLERS = sorted(path.stem for path in (ROOT / "src" / "handlers").glob("[!_]*.py"))


def resources_of_type(resource_type: str, resources: dict[str, Any] = RESOURCES) -> dict[str, dict[str, Any]]:
    """The properties of the resources of a type, by logical id."""
    return {
        name: resource.get("Properties", {})
        for name, resource in resources.items()
        if resource["Type"] == resource_type
    }


def function_id(name: str) -> str:
    """The logical id of the function of a handler or a tool: poll_run → PollRunFunction."""
    return f"{pascal_case(name)}Function"


def pascal_case(name: str) -> str:
    """poll_run → PollRun."""
    return "".join(word.capitalize() for word in name.split("_"))


def environment_of(function: str) -> dict[str, Any]:
    """The environment variables of a function, with those of Globals."""
    variables: dict[str, Any] = RESOURCES[function]["Properties"]["Environment"]["Variables"]
    return variables
