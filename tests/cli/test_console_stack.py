"""What the console says of a stack's health, and how it tries tools."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import boto3
import pytest
from support.canned_server import canned_server, json_response
from support.console_browser import Browser, open_console
from support.iam_gateway import REGION
from support.run_records import new_run
from werkzeug.wrappers import Response

import tools
from cli.console import health, tool_trial
from cli.console.stack import local_console_stack, open_console_stack
from cli.doctor.deployed_stack import DeployedStack, Resource
from local.stack import LocalStack
from upcall.aws.control_items import ControlItems
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.assistants import Assistant
from upcall.domain.caller import ANYBODY
from upcall.domain.quota import Quota, QuotaSetting

from .conftest import STACK

DEAD_LETTER_QUEUES = [
    "CallbackDeadLetterQueue",
    "DeadLetterQueue",
    "EndedExecutionDeadLetterQueue",
    "TraceDeadLetterQueue",
]


@pytest.fixture
def browser(local_stack: LocalStack) -> Iterator[Browser]:
    with open_console(local_console_stack(local_stack.endpoints)) as opened:
        yield opened


@pytest.fixture
def table(local_stack: LocalStack) -> Table:
    return Table(local_stack.deployed.dynamodb, local_stack.deployed.table)


def test_a_session_says_which_stack_it_is(browser: Browser, local_stack: LocalStack) -> None:
    assert browser.get("/console/session").json() == {
        "stack": "local",
        "region": None,
        "address": local_stack.endpoints.api,
        "tenancy": "one",
    }


def test_a_healthy_stack_has_neither_dead_letters_nor_quotas(browser: Browser) -> None:
    found = browser.get("/console/health").json()

    assert [each["queue"] for each in found["dead_letters"]] == DEAD_LETTER_QUEUES
    assert (found["quotas"], found["stopped"], found["unknown"]) == (None, [], [])


def test_messages_in_a_dead_letter_queue_are_counted(browser: Browser, local_stack: LocalStack) -> None:
    queue = local_stack.endpoints.dead_letter_queue
    boto3.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    try:
        counts = {
            each["queue"]: each["messages"] for each in browser.get("/console/health").json()["dead_letters"]
        }
    finally:
        boto3.client("sqs").purge_queue(QueueUrl=queue)

    assert counts["DeadLetterQueue"] >= 1


def test_what_is_stopped_is_named(browser: Browser, table: Table) -> None:
    controls = ControlItems(table)
    controls.stop("caller", "ann", datetime.now(UTC))
    try:
        assert browser.get("/console/health").json()["stopped"] == ["the runs of caller ann"]
    finally:
        controls.resume("caller", "ann")


def test_quotas_are_those_of_the_user_with_what_is_used(
    local_stack: LocalStack, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = f"ann-{uuid.uuid4()}"
    ControlItems(table).set_quota(owner, QuotaSetting(runs=3, usd=0.5))
    run = new_run(owner=owner, created_at=datetime.now(UTC))
    DynamoDBRunRepository(table, 30).add_run(run, Quota(runs=3, usd=0.5, concurrent=9))
    stack = replace(local_console_stack(local_stack.endpoints), find_owner=lambda: owner)

    with open_console(stack) as browser:
        quotas = browser.get("/console/health").json()["quotas"]

    assert quotas == {
        "runs": {"used": 1, "limit": 3},
        "tokens": {"used": 0, "limit": None},
        "usd": {"used": 0.0, "limit": 0.5},
        "concurrent": {"used": 1, "limit": None},
    }


def test_quotas_of_all_callers_are_those_of_the_parameters(
    browser: Browser, stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = replace(stack, parameters={**stack.parameters, "QuotaRunsPerDay": "100"})
    monkeypatch.setattr(health, "find_stack", lambda *_: limited)

    assert browser.get("/console/health").json()["quotas"]["runs"]["limit"] == 100


def test_alarms_are_shown_with_their_reasons_those_that_are_raised_first(
    browser: Browser, stack: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloudwatch = boto3.client("cloudwatch")
    resources = dict(stack.resources)
    for name, state in (("Calm", "OK"), ("Raised", "ALARM")):
        alarm = f"upcall-console-{name}"
        resources[f"{name}Alarm"] = Resource("AWS::CloudWatch::Alarm", alarm)
        cloudwatch.put_metric_alarm(
            AlarmName=alarm,
            ComparisonOperator="GreaterThanThreshold",
            EvaluationPeriods=1,
            MetricName="Errors",
            Namespace="AWS/Lambda",
            Period=60,
            Statistic="Sum",
            Threshold=1,
        )
        cloudwatch.set_alarm_state(AlarmName=alarm, StateValue=state, StateReason=f"It is {name}.")
    monkeypatch.setattr(health, "find_stack", lambda *_: replace(stack, resources=resources))

    alarms = browser.get("/console/health").json()["alarms"]

    assert [(each["name"], each["state"], each["reason"]) for each in alarms] == [
        ("RaisedAlarm", "ALARM", "It is Raised."),
        ("CalmAlarm", "OK", "It is Calm."),
    ]
    assert datetime.fromisoformat(alarms[0]["since"]).tzinfo is not None


def test_what_may_not_be_read_is_said_once_and_the_rest_is_shown(local_stack: LocalStack) -> None:
    denied = Response(
        '{"__type": "AccessDeniedException", "message": "No."}',
        400,
        content_type="application/x-amz-json-1.0",
    )
    with canned_server(denied) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", server.url)
        with open_console(local_console_stack(local_stack.endpoints)) as browser:
            found = browser.get("/console/health").json()

    assert [each["queue"] for each in found["dead_letters"]] == DEAD_LETTER_QUEUES
    assert (found["quotas"], found["stopped"]) == (None, [])
    assert found["unknown"] == [
        "your AWS credentials lack the permission dynamodb:BatchGetItem",
        "your AWS credentials lack the permission dynamodb:Query",
    ]


def test_a_stack_that_is_not_found_is_said_once(local_stack: LocalStack) -> None:
    stack = replace(local_console_stack(local_stack.endpoints), aws_name="nobodys")
    with open_console(stack) as browser:
        found = browser.get("/console/health").json()

    assert found["unknown"] == ["there is no stack nobodys in us-east-1; `sam deploy` creates it"]


def test_a_tool_is_tried_in_its_function(browser: Browser, local_stack: LocalStack) -> None:
    arguments = {"url": f"{local_stack.endpoints.pages}/tides"}

    response = browser.post("/console/tools/fetch/call", json={"arguments": arguments})

    assert response.status_code == 200, response.text
    assert response.json().keys() == {"outcome", "output", "duration_ms"}
    assert response.json()["outcome"] == "ok"
    assert json.loads(response.json()["output"])["title"] == "Why the tide comes twice a day"


def test_arguments_that_the_tool_refuses_are_an_error_for_the_model(browser: Browser) -> None:
    output = browser.post("/console/tools/fetch/call", json={"arguments": {"url": 5}}).json()

    assert output["outcome"] == "error"
    assert "url" in json.loads(output["output"])["error"]


def test_a_tool_with_an_effect_is_not_tried(browser: Browser) -> None:
    response = browser.post("/console/tools/notify/call", json={"arguments": {"message": "x"}})

    assert (response.status_code, response.json()["detail"]) == (
        409,
        "notify is not tried: a call has an effect, which is meant to happen in a run, and once",
    )


def test_a_tool_whose_calls_a_person_must_approve_is_not_tried(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = "fetch is not tried: a person must approve its calls, which is meant to happen in a run"
    careful = Assistant(
        name="careful", description="", instructions="", tools=("fetch",), approval={"fetch": "offset > 5"}
    )
    with monkeypatch.context() as patch:
        patch.setattr(tool_trial, "all_assistants", lambda: {"careful": careful})
        by_assistant = browser.post("/console/tools/fetch/call", json={"arguments": {}})
    with monkeypatch.context() as patch:
        patch.setattr(tools.find("fetch"), "approval", "required")
        by_tool = browser.post("/console/tools/fetch/call", json={"arguments": {}})
    for response in (by_assistant, by_tool):
        assert (response.status_code, response.json()["detail"]) == (409, detail)


@pytest.mark.parametrize("name", ["nothing", "os", "__init__"])
def test_a_tool_that_does_not_exist_is_not_found(browser: Browser, name: str) -> None:
    response = browser.post(f"/console/tools/{name}/call", json={"arguments": {}})

    assert (response.status_code, response.json()["detail"]) == (404, f"there is no tool {name!r}")


@pytest.mark.parametrize(
    "path", ["tools/fetch", "tools/a/b/call", "tools/fetch/call/", "tools/../call", "nothing", ""]
)
def test_other_addresses_are_nothing(browser: Browser, path: str) -> None:
    assert browser.send_as_it_is(f"/console/{path}")[0] == 404


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"arguments": []}', '{"arguments": "{}"}', "[" * 100_000])
def test_a_body_without_arguments_is_refused(browser: Browser, body: str) -> None:
    response = browser.post("/console/tools/fetch/call", content=body)

    assert (response.status_code, response.json()["detail"]) == (400, 'the body must be {"arguments": {…}}')


def test_each_address_has_its_method(browser: Browser) -> None:
    for path, allowed in (("session", "GET"), ("health", "GET"), ("tools/fetch/call", "POST")):
        wrong = browser.send("POST" if allowed == "GET" else "GET", f"/console/{path}")
        assert (wrong.status_code, wrong.headers["Allow"]) == (405, allowed)


def function_error(**document: str) -> Response:
    """What Lambda returns for a function that has failed."""
    return json_response(document, X_Amz_Function_Error="Unhandled")


@pytest.mark.parametrize(
    ("answer", "status", "detail"),
    [
        (
            function_error(errorType="ApprovalRequired"),
            409,
            "fetch is not tried: a person must approve its calls, which is meant to happen in a run",
        ),
        (
            function_error(errorType="Sandbox.Timedout"),
            502,
            "the function of fetch failed: Sandbox.Timedout",
        ),
        (
            function_error(errorMessage="x"),
            502,
            "the function of fetch failed: without a reason",
        ),
        (json_response("none"), 502, "fetch gave no readable output"),
        (
            json_response({"Message": "No."}, 403, x_amzn_errortype="AccessDeniedException"),
            403,
            "your AWS credentials lack the permission lambda:InvokeFunction for the tool's function",
        ),
        (
            json_response(
                {"Message": "Function not found: x"}, 404, x_amzn_errortype="ResourceNotFoundException"
            ),
            404,
            "Invoke failed: Function not found: x",
        ),
    ],
)
def test_a_function_that_fails_or_cannot_be_invoked_is_an_error(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch, answer: Response, status: int, detail: str
) -> None:
    with canned_server(answer) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", server.url)
        with open_console(local_console_stack(local_stack.endpoints)) as browser:
            response = browser.post("/console/tools/fetch/call", json={"arguments": {}})

    assert (response.status_code, response.json()["detail"]) == (status, detail)
    (request,) = server.requests
    assert request.path == "/2015-03-31/functions/upcall-tool-fetch/invocations"


def test_lambda_that_cannot_be_reached_is_a_bad_gateway(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:1")
    with open_console(local_console_stack(local_stack.endpoints)) as browser:
        response = browser.post("/console/tools/fetch/call", json={"arguments": {}})

    assert response.status_code == 502
    assert response.json()["detail"].startswith("AWS cannot be called: ")


def test_the_local_stack_is_asked_as_its_only_caller(local_stack: LocalStack) -> None:
    stack = local_console_stack(local_stack.endpoints)

    assert stack.find_owner() == ANYBODY


@pytest.mark.usefixtures("stacks")
def test_a_deployed_stack_is_asked_as_the_user_whose_credentials_there_are(
    user: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in user.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)

    with open_console_stack(STACK, None) as stack:
        assert (stack.name, stack.aws_name, stack.region) == (STACK, STACK, REGION)
        assert stack.tenancy == "many"
        assert stack.find_owner() == "arn:aws:sts::123456789012:user/moto"
    with open_console_stack(STACK, "ey.J.x") as stack:
        assert stack.find_owner() is None
    with open_console_stack("https://api.example.com", "ey.J.x") as stack:
        assert stack.tenancy is None
