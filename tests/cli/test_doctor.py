"""`upcall doctor`: against the laptop cloud's AWS, which has the stack `upcall`, and where AWS refuses."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from werkzeug.wrappers import Request, Response

from cli import main
from cli.backends import local_stack
from cli.commands import doctor_checks
from cli.commands.doctor import (
    CHECKS,
    deployed,
    examine_stack,
    looked_at,
)
from cli.commands.doctor_checks import DeployedStack, Finding, Resource
from local.config import AWS_ENVIRONMENT
from local.http_server import HttpServer
from local.stack import LocalStack

from .conftest import Upcall, problem

Check = Callable[[DeployedStack], Iterator[Finding]]


@pytest.fixture
def stack(laptop: LocalStack) -> DeployedStack:
    """The stack on the laptop cloud, with an API as AWS would have it."""
    found = deployed("upcall")
    return replace(found, outputs={**found.outputs, "ApiUrl": laptop.addresses.api})


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Variables with a profile that says nothing, neither a region nor credentials."""
    config = tmp_path / "config"
    config.write_text("[profile nobody]\n", "utf-8")
    return {"AWS_CONFIG_FILE": str(config), "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def operator(bare: dict[str, str], laptop: LocalStack) -> dict[str, str]:
    """The variables of a user with credentials, of which the laptop cloud takes any."""
    return {**AWS_ENVIRONMENT, **bare, "AWS_ENDPOINT_URL": laptop.addresses.aws}


def marks(check: Check, stack: DeployedStack) -> dict[str, str]:
    return {each.what: each.mark for each in looked_at("check", "service", check, stack)}


def words(check: Check, stack: DeployedStack) -> str:
    return " ".join(each.words for each in looked_at("check", "service", check, stack))


def with_parameters(stack: DeployedStack, **parameters: str) -> DeployedStack:
    return replace(stack, parameters={**stack.parameters, **parameters})


def with_resource(stack: DeployedStack, name: str, kind: str, identifier: str) -> DeployedStack:
    return replace(stack, resources={**stack.resources, name: Resource(kind, identifier)})


@pytest.mark.parametrize(
    "check",
    [
        doctor_checks.stack_complete,
        doctor_checks.openai_secret,
        doctor_checks.webhook_secret,
        doctor_checks.workflow,
        doctor_checks.functions,
        doctor_checks.health,
    ],
)
def test_what_is_well_is_said_to_be_well(stack: DeployedStack, check: Check) -> None:
    assert set(marks(check, stack).values()) == {"ok"}


@pytest.mark.parametrize("status", ["UPDATE_ROLLBACK_COMPLETE", "CREATE_FAILED", "UPDATE_IN_PROGRESS"])
def test_a_deployment_that_did_not_go_through_is_told(stack: DeployedStack, status: str) -> None:
    assert marks(doctor_checks.stack_complete, replace(stack, status=status)) == {"stack": "missing"}


def test_a_stack_that_is_older_than_the_template_is_told_what_it_lacks(stack: DeployedStack) -> None:
    older = replace(stack, resources={k: v for k, v in stack.resources.items() if k != "PollRunFunction"})

    assert "PollRunFunction" in words(doctor_checks.parts, older)
    assert " PollRunFunction," not in words(doctor_checks.parts, stack)


@pytest.mark.parametrize(
    ("value", "said"),
    [(" ", "is empty"), ('{"key": "sk-hidden"}', "is JSON"), ("sk-hidden", "is there")],
)
def test_a_secret_is_judged_and_never_shown(stack: DeployedStack, value: str, said: str) -> None:
    boto3.client("secretsmanager").create_secret(Name=f"doctor/{said}", SecretString=value)
    described = words(doctor_checks.openai_secret, with_parameters(stack, OpenAISecretName=f"doctor/{said}"))

    assert said in described
    assert "hidden" not in described


def test_a_secret_that_is_not_there_comes_with_the_command_that_makes_it(stack: DeployedStack) -> None:
    described = words(doctor_checks.openai_secret, with_parameters(stack, OpenAISecretName="no/such"))

    assert described.startswith("there is no secret no/such: aws secretsmanager create-secret --name no/such")


def test_the_webhook_needs_a_secret_once_it_has_an_address(stack: DeployedStack) -> None:
    wanted = with_parameters(stack, WebhookUrl="https://example.com", WebhookSecretName="no/webhook")

    assert marks(doctor_checks.webhook_secret, wanted) == {"webhook secret": "missing"}


def test_a_table_that_forgets_nothing_and_cannot_be_brought_back_is_told(stack: DeployedStack) -> None:
    dynamodb = boto3.client("dynamodb")
    dynamodb.create_table(
        TableName="doctored",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    ill = replace(stack, outputs={**stack.outputs, "TableName": "doctored"})
    before = marks(doctor_checks.table, ill)
    dynamodb.update_time_to_live(
        TableName="doctored", TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires_at"}
    )
    dynamodb.update_continuous_backups(
        TableName="doctored", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )

    assert before == {"table": "ok", "table expiry": "missing", "table recovery": "missing"}
    assert set(marks(doctor_checks.table, ill).values()) == {"ok"}


def test_a_function_on_another_runtime_is_named(stack: DeployedStack) -> None:
    name = stack.resources["GetRunFunction"].id
    aws = boto3.client("lambda")
    was = aws.get_function_configuration(FunctionName=name)["Runtime"]
    aws.update_function_configuration(FunctionName=name, Runtime="python3.11")
    try:
        described = words(doctor_checks.functions, stack)
    finally:
        aws.update_function_configuration(FunctionName=name, Runtime=was)

    assert described == f"GetRunFunction runs on python3.11, not on {was}; build and deploy again"


def test_dead_letters_are_counted(stack: DeployedStack) -> None:
    sqs = boto3.client("sqs")
    url = sqs.create_queue(QueueName="doctored")["QueueUrl"]
    other = with_resource(stack, "DeadLetterQueue", "AWS::SQS::Queue", url)
    before = marks(doctor_checks.dead_letters, other)
    sqs.send_message(QueueUrl=url, MessageBody="lost")

    assert before == {"dead letters": "ok"}
    assert " DeadLetterQueue holds 1; docs/operating.md" in f" {words(doctor_checks.dead_letters, other)}"


def test_an_alarm_that_is_on_is_named(stack: DeployedStack) -> None:
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="upcall-Doctored",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="Errors",
        Namespace="AWS/Lambda",
        Period=60,
        Statistic="Sum",
        Threshold=1,
    )
    watched = with_resource(stack, "DoctoredAlarm", "AWS::CloudWatch::Alarm", "upcall-Doctored")
    cloudwatch.set_alarm_state(AlarmName="upcall-Doctored", StateValue="OK", StateReason="test")
    before = marks(doctor_checks.alarms, watched)
    cloudwatch.set_alarm_state(AlarmName="upcall-Doctored", StateValue="ALARM", StateReason="test")

    assert before == {"alarms": "ok"}
    assert words(doctor_checks.alarms, watched).startswith("on: DoctoredAlarm;")


def test_nobody_hearing_of_alarms_is_worth_a_note_and_no_error(stack: DeployedStack) -> None:
    assert marks(doctor_checks.alarm_mail, stack) == {"alarm mail": "note"}


def test_an_api_that_does_not_answer_is_told(stack: DeployedStack) -> None:
    dead = replace(stack, outputs={**stack.outputs, "ApiUrl": "http://127.0.0.1:1"})
    lost = replace(stack, outputs={**stack.outputs, "ApiUrl": f"{stack.outputs['ApiUrl']}/nowhere"})

    assert "does not answer" in words(doctor_checks.health, dead)
    assert words(doctor_checks.health, lost).endswith("answers with 404")


def test_a_stack_of_another_template_is_told_so(stack: DeployedStack) -> None:
    other = replace(stack, outputs={}, parameters={})

    assert words(doctor_checks.table, other) == "the stack has no output TableName; build and deploy it again"
    assert "no parameter OpenAISecretName" in words(doctor_checks.openai_secret, other)


REFUSED = [
    (doctor_checks.openai_secret, "secretsmanager", "GetSecretValue"),
    (doctor_checks.table, "dynamodb", "DescribeTable"),
    (doctor_checks.workflow, "states", "DescribeStateMachine"),
    (doctor_checks.functions, "lambda", "GetFunctionConfiguration"),
    (doctor_checks.concurrency, "lambda", "GetAccountSettings"),
    (doctor_checks.dead_letters, "sqs", "GetQueueAttributes"),
]


@pytest.mark.parametrize(("check", "service", "operation"), REFUSED)
def test_a_refusal_names_the_permission_that_is_lacking(
    stack: DeployedStack, monkeypatch: pytest.MonkeyPatch, check: Check, service: str, operation: str
) -> None:
    def refuse(environ: dict[str, Any], start_response: Any) -> Any:
        Request(environ).get_data()
        body = {"__type": "AccessDeniedException", "message": "not authorized"}
        headers = {"x-amzn-errortype": "AccessDeniedException"}
        answer = Response(json.dumps(body), 400, headers, content_type="application/x-amz-json-1.0")
        return answer(environ, start_response)

    server = HttpServer(refuse, 0)
    try:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        (each_service,) = (name for _, name, each in CHECKS if each is check)
        (found,) = looked_at("it", each_service, check, stack)
    finally:
        server.stop()

    assert (found.mark, found.words) == ("unseen", f"these credentials may not {service}:{operation}")


def test_any_other_error_is_a_short_sentence(stack: DeployedStack) -> None:
    def fails(_: DeployedStack) -> Iterator[Finding]:
        raise ClientError({"Error": {"Code": "Throttling", "Message": "<html>\n" * 99}}, "DescribeTable")
        yield

    (found,) = looked_at("table", "dynamodb", fails, stack)

    assert found.mark == "unseen"
    assert found.words.startswith("AWS says to DescribeTable: <html> <html>")
    assert len(found.words) < 250


def test_every_check_is_made(stack: DeployedStack) -> None:
    whats = {each.what for each in examine_stack("upcall")}

    assert {"stack", "parts", "OpenAI key", "webhook secret", "table", "workflow", "functions"} <= whats
    assert {"concurrency", "dead letters", "alarm mail", "API"} <= whats


def test_the_command_prints_a_line_per_finding_without_colours_and_ends_with_1(
    upcall: Upcall, operator: dict[str, str]
) -> None:
    finished = upcall("doctor", "--stack", "upcall", **operator)
    lines = finished.stdout.splitlines()

    assert (finished.returncode, finished.stderr) == (1, "")
    assert "\x1b" not in finished.stdout
    assert lines[0] == "✓ stack           upcall is CREATE_COMPLETE"
    assert "✗ API             the stack has no output ApiUrl; build and deploy it again" in lines
    assert lines[-1].endswith("to mend.")


def test_for_machines_it_is_json(upcall: Upcall, operator: dict[str, str]) -> None:
    finished = upcall("doctor", "--stack", "upcall", "--json", **operator)

    assert finished.returncode == 1
    found = json.loads(finished.stdout)
    assert found[0] == {"what": "stack", "mark": "ok", "words": "upcall is CREATE_COMPLETE"}


def test_a_stack_that_is_not_there_is_one_line(upcall: Upcall, operator: dict[str, str]) -> None:
    finished = upcall("doctor", "--stack", "nobody", **operator)

    assert problem(finished) == "upcall: there is no stack nobody in us-east-1; `sam deploy` makes one"


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AWS_PROFILE": "nowhere"}, "The config profile (nowhere) could not be found"),
        ({}, "You must specify a region"),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, "Unable to locate credentials"),
    ],
)
def test_credentials_that_are_not_there_are_one_line(
    upcall: Upcall, bare: dict[str, str], variables: dict[str, str], said: str
) -> None:
    finished = upcall("doctor", "--stack", "upcall", **{**bare, **variables})

    assert problem(finished).startswith(f"upcall: AWS cannot be asked: {said}")


def test_without_a_stack_it_looks_at_the_laptop(upcall: Upcall) -> None:
    finished = upcall("doctor", "--json")

    assert finished.returncode == 0
    assert {"what": "state", "mark": "ok"}.items() <= json.loads(finished.stdout)[-1].items()


def test_the_ports_that_it_looks_at_are_those_of_upcall_local() -> None:
    ports = {name: each.default for name, each in signature(main.local).parameters.items() if "port" in name}

    assert ports == {"api_port": local_stack.API_PORT, "aws_port": local_stack.AWS_PORT}
