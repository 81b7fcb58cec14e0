"""What each tool's role may do, read from the template as CloudFormation gets it."""

import json
from typing import Any

import pytest

import tools
from local.config import ROOT
from local.template import Template

RESOURCES: dict[str, Any] = Template(ROOT).transformed["Resources"]

LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
"""Lambda's own policy: create a log stream and write to it."""

ONCE = {"dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"}

MAY: dict[str, dict[str, str]] = {
    "fetch": {},
    "read_object": {"s3:GetObject": "${InboxBucket.Arn}/*"},
    "notify": {
        **dict.fromkeys(ONCE, "RunTable"),
        "secretsmanager:GetSecretValue": "${WebhookSecretName}",
    },
}
"""Each tool's actions, and a word of what each is confined to."""


def function_of(name: str) -> dict[str, Any]:
    camel = "".join(word.capitalize() for word in name.split("_"))
    properties: dict[str, Any] = RESOURCES[f"{camel}Function"]["Properties"]
    return properties


def role_of(name: str) -> dict[str, Any]:
    ((_, (role, _)),) = function_of(name)["Role"].items()
    properties: dict[str, Any] = RESOURCES[role]["Properties"]
    return properties


def statements(role: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for policy in role.get("Policies", []):
        statement = policy["PolicyDocument"]["Statement"]
        found += statement if isinstance(statement, list) else [statement]
    return found


def actions(statement: dict[str, Any]) -> list[str]:
    return statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]


def test_every_tool_is_judged_here() -> None:
    assert set(MAY) == set(tools.names())


@pytest.mark.parametrize("name", tools.names())
def test_a_tool_may_do_what_it_needs_and_nothing_else(name: str) -> None:
    role = role_of(name)

    assert [_plain(arn) for arn in role["ManagedPolicyArns"]] == [LOGS]
    granted = {action: json.dumps(each["Resource"]) for each in statements(role) for action in actions(each)}
    assert set(granted) == set(MAY[name])
    for action, resource in granted.items():
        assert MAY[name][action] in resource
        assert resource != '"*"'


@pytest.mark.parametrize("name", tools.names())
def test_no_two_tools_share_a_role(name: str) -> None:
    others = [other for other in tools.names() if other != name]

    assert all(function_of(name)["Role"] != function_of(other)["Role"] for other in others)


@pytest.mark.parametrize("name", tools.names())
def test_only_lambda_takes_a_tools_role(name: str) -> None:
    (statement,) = role_of(name)["AssumeRolePolicyDocument"]["Statement"]

    assert statement["Principal"] == {"Service": ["lambda.amazonaws.com"]}


def test_only_tools_that_read_documents_carry_the_heavy_layer() -> None:
    carriers = {
        name
        for name, resource in RESOURCES.items()
        if resource["Type"] == "AWS::Lambda::Function" and "ExtractionLayer" in json.dumps(resource)
    }

    assert carriers == {"FetchFunction", "ReadObjectFunction"}


def test_no_role_may_do_everything() -> None:
    for name, resource in RESOURCES.items():
        if resource["Type"] == "AWS::IAM::Role":
            for statement in statements(resource["Properties"]):
                assert not [
                    action for action in actions(statement) if action == "*" or action.endswith(":*")
                ], name


def _plain(arn: Any) -> str:
    text = arn["Fn::Sub"] if isinstance(arn, dict) else str(arn)
    return text.replace("${AWS::Partition}", "aws")
