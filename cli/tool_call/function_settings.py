"""The settings of a tool's function in `template.yaml`, with the defaults of the parameters."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cli.errors import CommandError
from local.config import ROOT, STACK_NAME
from local.transform_template import parse_yaml

PROVIDED_RESOURCES = ("AWS::DynamoDB::Table", "AWS::S3::Bucket")
"""Types of resources that a tool may use. A reference to one is its name."""


@dataclass(frozen=True)
class FunctionSettings:
    """Time-out and environment of a function. `resources` are those that its own environment refers to.

    What all functions have in their environment (`Globals`) does not count as a reference.
    """

    timeout_seconds: float
    environment: Mapping[str, str]
    resources: frozenset[str]


def read_function_settings(tool: str) -> FunctionSettings:
    """The settings of the function of a tool. Raises CommandError if the template has none."""
    template = read_template()
    properties = _find_function(template, tool)
    defaults = template["Globals"]["Function"]
    own = properties.get("Environment", {}).get("Variables", {})
    variables = {**defaults["Environment"]["Variables"], **own}
    return FunctionSettings(
        timeout_seconds=properties.get("Timeout", defaults["Timeout"]),
        environment={name: _resolve(template, value) for name, value in variables.items()},
        resources=frozenset(
            value["Ref"]
            for value in own.values()
            if isinstance(value, dict) and value.get("Ref") in template["Resources"]
        ),
    )


@cache
def read_template() -> Mapping[str, Any]:
    """The template, with intrinsic functions in their long form."""
    template: Mapping[str, Any] = parse_yaml((ROOT / "template.yaml").read_text("utf-8"))
    return template


def physical_name(logical_id: str) -> str:
    """The name of a table or bucket on the local stack."""
    return f"{STACK_NAME}-{logical_id}".lower()


def _find_function(template: Mapping[str, Any], tool: str) -> Mapping[str, Any]:
    for resource in template["Resources"].values():
        properties: Mapping[str, Any] = resource.get("Properties", {})
        if properties.get("Handler") == f"tools.{tool}.lambda_handler":
            return properties
    raise CommandError(f"template.yaml has no function for the tool {tool!r}")


def _resolve(template: Mapping[str, Any], value: Any) -> str:
    """The value of a variable of the environment: text, !Ref or !Sub."""
    match value:
        case {"Ref": str(name)}:
            return _resolve_reference(template, name)
        case {"Fn::Sub": str(text)}:
            return re.sub(r"\$\{([^}]+)\}", lambda match: _resolve_reference(template, match[1]), text)
        case dict():
            raise CommandError(f"`upcall tool` cannot resolve {value} in template.yaml")
        case _:
            return str(value)


def _resolve_reference(template: Mapping[str, Any], name: str) -> str:
    if name == "AWS::StackName":
        return STACK_NAME
    if name in template["Parameters"]:
        return str(template["Parameters"][name].get("Default", ""))
    if template["Resources"].get(name, {}).get("Type") in PROVIDED_RESOURCES:
        return physical_name(name)
    raise CommandError(f"`upcall tool` cannot resolve the reference to {name} in template.yaml")
