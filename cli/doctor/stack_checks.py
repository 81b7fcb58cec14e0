"""The checks of a stack's resources. Each calls one AWS service.

As all checks of a stack, they change nothing, and may raise OutdatedStack and the errors of boto3.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import httpx

from cli.doctor.deployed_stack import CLIENT_CONFIG, DeployedStack
from cli.doctor.finding import Finding, passed_if
from local.template import Template

COMPLETE_STATUSES = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
HEALTH_TIMEOUT_SECONDS = 15


def check_deployment(stack: DeployedStack) -> Iterator[Finding]:
    """The last deployment must have succeeded."""
    message = f"{stack.name} is {stack.status}"
    complete = stack.status in COMPLETE_STATUSES
    if not complete:
        command = f"aws cloudformation describe-stack-events --stack-name {stack.name}"
        message = f"{message}; the reason is in its events: {command}"
    yield passed_if(complete, "stack", message)


def check_resources(stack: DeployedStack) -> Iterator[Finding]:
    """The stack must have every resource of its templates that has no condition."""
    template = Template()
    expected = _unconditional(template.transformed["Resources"])
    for name, nested in template.nested_templates().items():
        if name in expected or name in stack.resources:
            expected |= _unconditional(nested["Resources"])
    if missing := sorted(expected - set(stack.resources)):
        message = f"missing in the stack: {', '.join(missing)}; build and deploy it again"
        yield Finding("resources", "failed", message)
    else:
        yield Finding("resources", "ok", f"all {len(expected)} resources of the template exist")


def check_table(stack: DeployedStack) -> Iterator[Finding]:
    """The table must be active, and delete expired items, and have backups."""
    dynamodb = boto3.client("dynamodb", config=CLIENT_CONFIG)
    name = stack.output("TableName")
    status = dynamodb.describe_table(TableName=name)["Table"]["TableStatus"]
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    yield passed_if(status == "ACTIVE", "table", f"{name} is {status}")
    yield passed_if(expiry == "ENABLED", "table expiry", f"time to live is {expiry}")
    yield passed_if(recovery == "ENABLED", "table recovery", f"point-in-time recovery is {recovery}")


def check_workflow(stack: DeployedStack) -> Iterator[Finding]:
    """The state machine must be active."""
    arn = stack.output("StateMachineArn")
    machine = boto3.client("stepfunctions", config=CLIENT_CONFIG).describe_state_machine(stateMachineArn=arn)
    status = machine.get("status", "ACTIVE")
    yield passed_if(status == "ACTIVE", "workflow", f"{machine['name']} is {status}")


def check_functions(stack: DeployedStack) -> Iterator[Finding]:
    """Each function must be ready to be invoked, on the stack's runtime."""
    runtime = stack.parameter("Runtime")
    names = stack.of_type("AWS::Lambda::Function")
    client = boto3.client("lambda", config=CLIENT_CONFIG)
    problems = []
    for logical_id, name in names.items():
        function = client.get_function_configuration(FunctionName=name)
        state = function.get("State", "Active")
        update = function.get("LastUpdateStatus", "Successful")
        ready = state in ("Active", "Inactive")  # Inactive: it was idle, and starts when it is invoked
        if not ready or update != "Successful":
            problems.append(f"{logical_id} is {state}; its last update is {update}")
        elif function["Runtime"] != runtime:
            problems.append(
                f"{logical_id} runs on {function['Runtime']}, not on {runtime}; build and deploy it again"
            )
    yield from (Finding("functions", "failed", problem) for problem in problems)
    if not problems:
        yield Finding("functions", "ok", f"{len(names)} functions are ready, on {runtime}")


def check_event_sources(stack: DeployedStack) -> Iterator[Finding]:
    """Every event source mapping, which feeds a function from a queue, must be enabled.

    That of traces is disabled in a stack that sends none.
    """
    client = boto3.client("lambda", config=CLIENT_CONFIG)
    for logical_id, uuid in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        if logical_id.startswith("ExportTraceFunction") and not stack.parameter("OtlpEndpoint"):
            continue
        state = client.get_event_source_mapping(UUID=uuid)["State"]
        yield passed_if(state == "Enabled", "event source", f"{logical_id} is {state}")


def check_dead_letter_queues(stack: DeployedStack) -> Iterator[Finding]:
    """Dead-letter queues should be empty."""
    sqs = boto3.client("sqs", config=CLIENT_CONFIG)
    for logical_id, url in stack.of_type("AWS::SQS::Queue").items():
        if logical_id.endswith("DeadLetterQueue"):
            queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            count = int(queue["Attributes"]["ApproximateNumberOfMessages"])
            message = f"messages in {logical_id}: {count}"
            if count:
                message += "; docs/operating.md describes how to read and redrive them"
            yield passed_if(not count, "dead letters", message)


def check_health(stack: DeployedStack) -> Iterator[Finding]:
    """GET /health must succeed. It is open to everybody, and no AWS credentials are sent."""
    url = f"{stack.output('ApiUrl')}/health"
    try:
        status = httpx.get(url, timeout=HEALTH_TIMEOUT_SECONDS).status_code
    except httpx.HTTPError as error:
        yield Finding("API", "failed", f"{url} does not respond: {error}")
    else:
        yield passed_if(status == httpx.codes.OK, "API", f"{url} responds with {status}")


def _unconditional(resources: Mapping[str, Any]) -> set[str]:
    """Logical ids of the resources that every stack has. Those of layers change with each version."""
    return {
        name
        for name, each in resources.items()
        if "Condition" not in each and each["Type"] != "AWS::Lambda::LayerVersion"
    }
