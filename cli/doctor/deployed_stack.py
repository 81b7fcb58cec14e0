"""A deployed stack as CloudFormation describes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor.finding import shorten
from cli.errors import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

NESTED_STACK = "AWS::CloudFormation::Stack"
CLIENT_CONFIG = Config(connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2})
"""Of the clients of all checks: a service that does not respond is a finding within 25 seconds."""

ACCESS_DENIED_CODES = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")


class OutdatedStack(Exception):
    """The stack lacks an output or a parameter of `template.yaml`."""


@dataclass(frozen=True)
class Resource:
    """A resource of a stack: its type and its physical id."""

    type: str
    id: str


@dataclass(frozen=True)
class DeployedStack:
    """A stack. `resources` are by logical id, and include those of nested stacks."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    resources: Mapping[str, Resource]

    def output(self, name: str) -> str:
        """An output. Raises OutdatedStack."""
        return _require(self.outputs, "output", name)

    def parameter(self, name: str) -> str:
        """A parameter. Raises OutdatedStack."""
        return _require(self.parameters, "parameter", name)

    def of_type(self, type_: str) -> dict[str, str]:
        """Physical ids of the resources of a type, by logical id."""
        return {name: each.id for name, each in self.resources.items() if each.type == type_}


def find_stack(name: str, session: boto3.Session | None = None) -> DeployedStack:
    """The stack of that name. Raises CommandError if there is none, or if AWS cannot be called."""
    try:
        client = (session or boto3).client("cloudformation", config=CLIENT_CONFIG)
        try:
            (description,) = client.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if (
                error.response["Error"]["Code"] == "ValidationError"
            ):  # the code for a stack that does not exist
                region = client.meta.region_name
                message = f"there is no stack {name} in {region}; `sam deploy` creates it"
                raise CommandError(message) from None
            raise
        resources = dict(_list_resources(client, name))
    except ClientError as error:
        raise CommandError(describe_error("cloudformation", error)) from None
    except BotoCoreError as error:
        raise CommandError(f"AWS cannot be called: {error}") from None
    return DeployedStack(
        name=name,
        status=description["StackStatus"],
        outputs={each["OutputKey"]: each["OutputValue"] for each in description.get("Outputs", [])},
        parameters={
            each["ParameterKey"]: each["ParameterValue"] for each in description.get("Parameters", [])
        },
        resources=resources,
    )


def describe_error(service: str, error: ClientError) -> str:
    """An error of AWS as a sentence. If access was denied, it names the missing permission."""
    code, message = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in ACCESS_DENIED_CODES:
        return f"your AWS credentials lack the permission {service}:{error.operation_name}"
    return f"{error.operation_name} failed: {shorten(message) or code}"


def _list_resources(client: "CloudFormationClient", stack: str) -> Iterator[tuple[str, Resource]]:
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
        for summary in page["StackResourceSummaries"]:
            resource = Resource(summary["ResourceType"], summary.get("PhysicalResourceId", ""))
            yield summary["LogicalResourceId"], resource
            if resource.type == NESTED_STACK and resource.id:
                yield from _list_resources(client, resource.id)


def _require(values: Mapping[str, str], kind: str, name: str) -> str:
    try:
        return values[name]
    except KeyError:
        raise OutdatedStack(f"the stack has no {kind} {name}; build and deploy it again") from None
