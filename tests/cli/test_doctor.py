"""`upcall doctor`, with the stack `upcall` on the AWS of the local stack."""

import json
from collections.abc import Iterator
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from support.doctor import messages, statuses, with_resource
from werkzeug.wrappers import Request, Response

from cli.backends.local_stack import API_PORT, AWS_PORT
from cli.commands.local import local
from cli.doctor import layer_checks, quota_checks, secret_checks, server_checks, stack_checks
from cli.doctor.deployed_stack import DeployedStack, find_stack
from cli.doctor.finding import Finding
from cli.doctor.run_checks import CHECKS, Check, check_stack, run_check
from local.config import AWS_ENVIRONMENT
from local.http_server import HttpServer
from local.stack import LocalStack

from .conftest import Upcall, one_line_error


@pytest.fixture
def empty_profile(tmp_path: Path) -> dict[str, str]:
    """The variables of a user whose profile has neither a region nor credentials."""
    config = tmp_path / "config"
    config.write_text("[profile nobody]\n", "utf-8")
    return {"AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def operator(empty_profile: dict[str, str], local_stack: LocalStack) -> dict[str, str]:
    """The variables of a user with credentials. The local stack accepts any."""
    return {**AWS_ENVIRONMENT, **empty_profile, "AWS_ENDPOINT_URL": local_stack.endpoints.aws}


@pytest.mark.parametrize(
    "check",
    [
        stack_checks.check_deployment,
        secret_checks.check_openai_secret,
        secret_checks.check_webhook_secret,
        stack_checks.check_workflow,
        stack_checks.check_functions,
        stack_checks.check_health,
    ],
)
def test_a_healthy_stack_passes(stack: DeployedStack, check: Check) -> None:
    assert set(statuses(check, stack).values()) == {"ok"}


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_IN_PROGRESS"])
def test_a_failed_deployment_is_a_problem(stack: DeployedStack, status: str) -> None:
    assert statuses(stack_checks.check_deployment, replace(stack, status=status)) == {"stack": "failed"}


def test_missing_resources_of_an_older_stack_are_named(stack: DeployedStack) -> None:
    older = replace(stack, resources={k: v for k, v in stack.resources.items() if k != "PollRunFunction"})

    assert "PollRunFunction" in messages(stack_checks.check_resources, older)
    assert " PollRunFunction," not in messages(stack_checks.check_resources, stack)


def test_a_site_that_was_not_asked_for_is_not_missing(stack: DeployedStack) -> None:
    assert "Console" not in messages(stack_checks.check_resources, stack)
    half_deployed = with_resource(stack, "ConsoleSite", "AWS::CloudFormation::Stack", "arn")
    assert "ConsoleBucket" in messages(stack_checks.check_resources, half_deployed)


def test_resources_of_nested_stacks_are_found(local_stack: LocalStack) -> None:
    nested = {"Resources": {"InnerQueue": {"Type": "AWS::SQS::Queue"}}}
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="nested-templates")
    s3.put_object(Bucket="nested-templates", Key="nested.json", Body=json.dumps(nested).encode())
    properties = {"TemplateURL": "https://s3.amazonaws.com/nested-templates/nested.json"}
    outer = {"Resources": {"Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": properties}}}
    cloudformation = boto3.client("cloudformation")
    cloudformation.create_stack(StackName="outer", TemplateBody=json.dumps(outer))
    try:
        found = find_stack("outer")
    finally:
        cloudformation.delete_stack(StackName="outer")

    assert set(found.of_type("AWS::SQS::Queue")) == {"InnerQueue"}


def test_a_table_without_expiry_and_recovery_is_a_problem(stack: DeployedStack) -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="doctored",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    changed = replace(stack, outputs={**stack.outputs, "TableName": "doctored"})
    before = statuses(stack_checks.check_table, changed)
    dynamodb.update_time_to_live(
        TableName="doctored", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    dynamodb.update_continuous_backups(
        TableName="doctored", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )

    assert before == {"table": "ok", "table expiry": "failed", "table recovery": "failed"}
    assert set(statuses(stack_checks.check_table, changed).values()) == {"ok"}


def test_a_function_with_another_runtime_is_named(stack: DeployedStack) -> None:
    name = stack.resources["GetRunFunction"].id
    aws = boto3.client("lambda")
    was = aws.get_function_configuration(FunctionName=name)["Runtime"]
    aws.update_function_configuration(FunctionName=name, Runtime="python3.11")
    try:
        printed = messages(stack_checks.check_functions, stack)
    finally:
        aws.update_function_configuration(FunctionName=name, Runtime=was)

    assert printed == f"GetRunFunction runs on python3.11, not on {was}; build and deploy it again"


def test_dead_letters_are_counted(stack: DeployedStack) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="doctored")["QueueUrl"]
    without_queues = {  # other tests leave messages in them
        name: each for name, each in stack.resources.items() if each.type != "AWS::SQS::Queue"
    }
    other = with_resource(replace(stack, resources=without_queues), "DeadLetterQueue", "AWS::SQS::Queue", url)
    before = statuses(stack_checks.check_dead_letter_queues, other)
    sqs.send_message(QueueUrl=url, MessageBody="lost")

    assert before == {"dead letters": "ok"}
    printed = messages(stack_checks.check_dead_letter_queues, other)
    assert "messages in DeadLetterQueue: 1; docs/operating.md" in printed


def test_an_api_that_does_not_respond_is_a_problem(stack: DeployedStack) -> None:
    dead = replace(stack, outputs={**stack.outputs, "ApiUrl": "http://127.0.0.1:1"})
    lost = replace(stack, outputs={**stack.outputs, "ApiUrl": f"{stack.outputs['ApiUrl']}/nowhere"})

    assert "does not respond" in messages(stack_checks.check_health, dead)
    assert messages(stack_checks.check_health, lost).endswith("responds with 404")


def test_a_stack_of_another_template_is_a_problem(stack: DeployedStack) -> None:
    other = replace(stack, outputs={}, parameters={})

    assert (
        messages(stack_checks.check_table, other)
        == "the stack has no output TableName; build and deploy it again"
    )
    assert "no parameter OpenAISecretName" in messages(secret_checks.check_openai_secret, other)


DENIED = [
    (secret_checks.check_openai_secret, "secretsmanager", "GetSecretValue"),
    (server_checks.check_server, "secretsmanager", "GetSecretValue"),
    (layer_checks.check_layers, "lambda", "GetFunctionConfiguration"),
    (stack_checks.check_table, "dynamodb", "DescribeTable"),
    (stack_checks.check_workflow, "states", "DescribeStateMachine"),
    (stack_checks.check_functions, "lambda", "GetFunctionConfiguration"),
    (quota_checks.check_concurrency, "lambda", "GetAccountSettings"),
    (stack_checks.check_dead_letter_queues, "sqs", "GetQueueAttributes"),
]


@pytest.mark.parametrize(("check", "service", "operation"), DENIED)
def test_a_denied_request_is_reported_with_the_missing_permission(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch, check: Check, service: str, operation: str
) -> None:
    def deny(environ: dict[str, Any], start_response: Any) -> Any:
        Request(environ).get_data()
        body = {"__type": "AccessDeniedException", "message": "not authorized"}
        headers = {"x-amzn-errortype": "AccessDeniedException"}
        response = Response(json.dumps(body), 400, headers, content_type="application/x-amz-json-1.0")
        return response(environ, start_response)

    server = HttpServer(deny, 0)
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        (prefix,) = (prefix for _, prefix, each in CHECKS if each is check)
        (found,) = run_check("it", prefix, check, stack)
    finally:
        server.stop()

    assert (found.status, found.message) == (
        "unknown",
        f"your AWS credentials lack the permission {service}:{operation}",
    )


def test_any_other_error_is_reported_in_a_short_sentence(stack: DeployedStack) -> None:
    def fails(_: DeployedStack) -> Iterator[Finding]:
        raise ClientError({"Error": {"Code": "Throttling", "Message": "<html>\n" * 99}}, "DescribeTable")
        yield

    (found,) = run_check("table", "dynamodb", fails, stack)

    assert found.status == "unknown"
    assert found.message.startswith("DescribeTable failed: <html> <html>")
    assert len(found.message) < 250


def test_every_check_is_run(stack: DeployedStack) -> None:
    checks = {each.check for each in check_stack("upcall")}

    assert {"stack", "resources", "OpenAI key", "webhook secret", "table", "workflow", "functions"} <= checks
    assert {"concurrency", "dead letters", "alarm email", "API"} <= checks
    assert {"settings", "OpenAI server", "layers"} <= checks


def test_the_command_prints_a_line_for_each_finding_and_exits_with_1(
    upcall: Upcall, operator: dict[str, str]
) -> None:
    finished = upcall("doctor", "--stack", "upcall", **operator)
    lines = finished.stdout.splitlines()

    assert (finished.returncode, finished.stderr) == (1, "")
    assert "\x1b" not in finished.stdout
    assert lines[0] == "✓ stack           upcall is CREATE_COMPLETE"
    assert "✗ API             the stack has no output ApiUrl; build and deploy it again" in lines
    assert lines[-1].endswith("problems found.")


def test_the_findings_are_printed_as_json(upcall: Upcall, operator: dict[str, str]) -> None:
    finished = upcall("doctor", "--stack", "upcall", "--json", **operator)

    assert finished.returncode == 1
    found = json.loads(finished.stdout)
    assert found[0] == {"check": "stack", "status": "ok", "message": "upcall is CREATE_COMPLETE"}


def test_a_missing_stack_is_a_one_line_error(upcall: Upcall, operator: dict[str, str]) -> None:
    finished = upcall("doctor", "--stack", "nobody", **operator)

    assert (
        one_line_error(finished) == "upcall: there is no stack nobody in us-east-1; `sam deploy` creates it"
    )


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"AWS_PROFILE": "nowhere"}, "The config profile (nowhere) could not be found"),
        ({}, "You must specify a region"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "Unable to locate credentials"),
    ],
)
def test_missing_credentials_are_a_one_line_error(
    upcall: Upcall, empty_profile: dict[str, str], variables: dict[str, str], reason: str
) -> None:
    finished = upcall("doctor", "--stack", "upcall", **{**empty_profile, **variables})

    assert one_line_error(finished).startswith(f"upcall: AWS cannot be called: {reason}")


def test_without_a_stack_the_local_stack_is_checked(upcall: Upcall) -> None:
    finished = upcall("doctor", "--json")

    assert finished.returncode == 0
    assert {"check": "state", "status": "ok"}.items() <= json.loads(finished.stdout)[-1].items()


def test_the_checked_ports_are_the_defaults_of_upcall_local() -> None:
    ports = {name: each.default for name, each in signature(local).parameters.items() if "port" in name}

    assert ports == {"api_port": API_PORT, "aws_port": AWS_PORT}
