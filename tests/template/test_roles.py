"""The permissions of each tool's role, read from the template as CloudFormation gets it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from support.templates import RESOURCES, function_id, resources_of_type

import tools

LOGS_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
"""The AWS managed policy to create a log stream and write to it."""

ONCE = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}
"""What a tool with `effect="once"` needs."""

PERMISSIONS: dict[str, dict[str, str]] = {
    "fetch": {},
    "read_object": {"s3:GetObject": "${InboxBucket.Arn}/*"},
    "notify": {
        **dict.fromkeys(ONCE, "RunTable"),
        "secretsmanager:GetSecretValue": "${WebhookSecretName}",
    },
}
"""Each tool's actions, with a part of the ARN of the resource that each is limited to."""


def role_of(tool: str) -> dict[str, Any]:
    """The properties of a tool's role."""
    role, _ = RESOURCES[function_id(tool)]["Properties"]["Role"]["Fn::GetAtt"]
    properties: dict[str, Any] = RESOURCES[role]["Properties"]
    return properties


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The statements of a role's inline policies."""
    for policy in role.get("Policies", []):
        statement = policy["PolicyDocument"]["Statement"]
        yield from statement if isinstance(statement, list) else [statement]


def actions(statement: dict[str, Any]) -> list[str]:
    """The actions of a statement."""
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]


def test_the_permissions_of_every_tool_are_listed_here() -> None:
    assert set(PERMISSIONS) == set(tools.names())


@pytest.mark.parametrize("name", tools.names())
def test_a_tool_has_the_permissions_that_it_needs_and_no_others(name: str) -> None:
    role = role_of(name)

    assert [_without_pseudo_parameter(arn) for arn in role["ManagedPolicyArns"]] == [LOGS_POLICY]
    granted = {action: json.dumps(each["Resource"]) for each in statements(role) for action in actions(each)}
    assert set(granted) == set(PERMISSIONS[name])
    for action, resource in granted.items():
        assert PERMISSIONS[name][action] in resource
        assert resource != '"*"'


@pytest.mark.parametrize("name", tools.names())
def test_a_tool_may_touch_no_items_of_runs_in_the_table(name: str) -> None:
    for statement in statements(role_of(name)):
        if any(action.startswith("dynamodb:") for action in actions(statement)):
            assert set(actions(statement)) <= ONCE, "a query or a scan would need another condition"
            assert statement["Condition"] == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["ONCE#*"]}}


@pytest.mark.parametrize("name", tools.names())
def test_no_two_tools_share_a_role(name: str) -> None:
    others = [other for other in tools.names() if other != name]

    role = RESOURCES[function_id(name)]["Properties"]["Role"]
    assert all(RESOURCES[function_id(other)]["Properties"]["Role"] != role for other in others)


@pytest.mark.parametrize("name", tools.names())
def test_only_lambda_can_assume_the_role_of_a_tool(name: str) -> None:
    (statement,) = role_of(name)["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": ["lambda.amazonaws.com"]}


def test_only_tools_that_read_documents_have_the_extraction_layer() -> None:
    functions = {
        name
        for name, properties in resources_of_type("AWS::Lambda::Function").items()
        if "ExtractionLayer" in json.dumps(properties)
    }

    assert functions == {"FetchFunction", "ReadObjectFunction"}


def test_no_role_allows_all_actions() -> None:
    for name, role in resources_of_type("AWS::IAM::Role").items():
        for statement in statements(role):
            assert not [each for each in actions(statement) if each == "*" or each.endswith(":*")], name


def _without_pseudo_parameter(arn: Any) -> str:
    text = arn["Fn::Sub"] if isinstance(arn, dict) else str(arn)
    return text.replace("${AWS::Partition}", "aws")
