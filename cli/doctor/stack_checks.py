"""The checks of a deployed stack. Each calls one AWS service, and changes nothing.

A check may raise OutdatedStack and the errors of boto3.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import boto3
import httpx

from cli.doctor.deployed_stack import DeployedStack
from cli.doctor.finding import Finding, passed_if
from local.template import Template
from upcall.aws.secrets_manager import clean_secret
from upcall.domain.errors import InvalidSecret
from upcall.run_apis.client import parse_api_key
from upcall.web.standard_webhooks import check_secret

COMPLETE_STATUSES = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
HEALTH_TIMEOUT_SECONDS = 15
MIN_CONCURRENCY = 50
"""A new account may run ten functions at once. A run uses two or three, a request one."""


def check_deployment(stack: DeployedStack) -> Iterator[Finding]:
    """The last deployment must have succeeded."""
    message = f"{stack.name} is {stack.status}"
    complete = stack.status in COMPLETE_STATUSES
    if not complete:
        command = f"aws cloudformation describe-stack-events --stack-name {stack.name}"
        message = f"{message}; the reason is in its events: {command}"
    yield passed_if(complete, "stack", message)


def check_resources(stack: DeployedStack) -> Iterator[Finding]:
    """The stack must have every resource of the templates that has no condition."""
    template = Template()
    expected = _unconditional(template.transformed["Resources"])
    for nested in template.nested_templates().values():
        expected |= _unconditional(nested["Resources"])
    if missing := sorted(expected - set(stack.resources)):
        message = f"missing in the stack: {', '.join(missing)}; build and deploy it again"
        yield Finding("resources", "failed", message)
    else:
        yield Finding("resources", "ok", f"all {len(expected)} resources of the template exist")


def check_openai_secret(stack: DeployedStack) -> Iterator[Finding]:
    """The OpenAI API key must exist, in a form that functions accept. It is read, and never printed."""
    yield _check_secret("OpenAI key", stack.parameter("OpenAISecretName"), parse_api_key)


def check_webhook_secret(stack: DeployedStack) -> Iterator[Finding]:
    """If `notify` has a URL, it needs a secret to sign with."""
    if stack.parameter("WebhookUrl"):
        yield _check_secret("webhook secret", stack.parameter("WebhookSecretName"), _sign)
    else:
        yield Finding("webhook secret", "ok", "not needed, because WebhookUrl is empty")


def check_callback_secret(stack: DeployedStack) -> Iterator[Finding]:
    """If callbacks are switched on, their secret must exist."""
    if name := stack.parameter("CallbackSecretName"):
        yield _check_secret("callback secret", name, _sign)
    else:
        yield Finding("callback secret", "ok", "not needed, because CallbackSecretName is empty")


def check_table(stack: DeployedStack) -> Iterator[Finding]:
    """The table must be active, and delete expired items, and have backups."""
    dynamodb = boto3.client("dynamodb")
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
    machine = boto3.client("stepfunctions").describe_state_machine(stateMachineArn=arn)
    status = machine.get("status", "ACTIVE")
    yield passed_if(status == "ACTIVE", "workflow", f"{machine['name']} is {status}")


def check_functions(stack: DeployedStack) -> Iterator[Finding]:
    """Each function must be ready to be invoked, on the stack's runtime."""
    runtime = stack.parameter("Runtime")
    names = stack.of_type("AWS::Lambda::Function")
    client = boto3.client("lambda")
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


def check_concurrency(_: DeployedStack) -> Iterator[Finding]:
    """The account's limit on concurrent functions should not be that of a new account."""
    limit = boto3.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    message = f"the account may run {limit:,} functions at once"
    if limit < MIN_CONCURRENCY:
        yield Finding("concurrency", "warning", f"{message}; Service Quotas raises the limit on request")
    else:
        yield Finding("concurrency", "ok", message)


def check_event_sources(stack: DeployedStack) -> Iterator[Finding]:
    """Every event source mapping, which feeds a function from a queue, must be enabled."""
    client = boto3.client("lambda")
    for logical_id, uuid in stack.of_type("AWS::Lambda::EventSourceMapping").items():
        state = client.get_event_source_mapping(UUID=uuid)["State"]
        yield passed_if(state == "Enabled", "event source", f"{logical_id} is {state}")


def check_dead_letter_queues(stack: DeployedStack) -> Iterator[Finding]:
    """Dead-letter queues should be empty."""
    sqs = boto3.client("sqs")
    for logical_id, url in stack.of_type("AWS::SQS::Queue").items():
        if logical_id.endswith("DeadLetterQueue"):
            queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            count = int(queue["Attributes"]["ApproximateNumberOfMessages"])
            message = f"messages in {logical_id}: {count}"
            if count:
                message += "; docs/operating.md describes how to read and redrive them"
            yield passed_if(not count, "dead letters", message)


def check_alarms(stack: DeployedStack) -> Iterator[Finding]:
    """No alarm should be in the state ALARM."""
    logical_ids = {name: logical_id for logical_id, name in stack.of_type("AWS::CloudWatch::Alarm").items()}
    if not logical_ids:
        return
    alarms = boto3.client("cloudwatch").describe_alarms(AlarmNames=list(logical_ids))["MetricAlarms"]
    raised = sorted(logical_ids[each["AlarmName"]] for each in alarms if each["StateValue"] == "ALARM")
    if raised:
        message = f"in ALARM: {', '.join(raised)}; docs/operating.md describes what to do"
        yield Finding("alarms", "failed", message)
    else:
        yield Finding("alarms", "ok", f"none of {len(alarms)} alarms is in ALARM")


def check_alarm_email(stack: DeployedStack) -> Iterator[Finding]:
    """Somebody should be notified of alarms."""
    topic = stack.outputs.get("AlarmTopicArn")
    if topic is None:
        message = "alarms notify nobody, because the parameter AlarmEmail is empty"
        yield Finding("alarm email", "warning", message)
        return
    subscriptions = boto3.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    address = stack.parameter("AlarmEmail")
    confirmed = any(each["SubscriptionArn"].startswith("arn:") for each in subscriptions)
    if confirmed:
        message = f"alarms notify {address}"
    else:
        message = f"{address} has not confirmed the subscription; the e-mail has a link"
    yield passed_if(confirmed, "alarm email", message)


def check_health(stack: DeployedStack) -> Iterator[Finding]:
    """GET /health must succeed. It is open to everybody, and no AWS credentials are sent."""
    url = f"{stack.output('ApiUrl')}/health"
    try:
        status = httpx.get(url, timeout=HEALTH_TIMEOUT_SECONDS).status_code
    except httpx.HTTPError as error:
        yield Finding("API", "failed", f"{url} does not respond: {error}")
    else:
        yield passed_if(status == httpx.codes.OK, "API", f"{url} responds with {status}")


def _check_secret(label: str, name: str, parse: Callable[[str, str], str]) -> Finding:
    """Check a secret. `parse` returns what functions use of its value, and raises InvalidSecret."""
    client = boto3.client("secretsmanager")
    try:
        value = client.get_secret_value(SecretId=name).get("SecretString", "")
    except client.exceptions.ResourceNotFoundException:
        command = f"aws secretsmanager create-secret --name {name} --secret-string …"
        return Finding(label, "failed", f"there is no secret {name}: {command}")
    try:
        used = parse(name, clean_secret(name, value))
    except InvalidSecret as error:
        command = f"aws secretsmanager put-secret-value --secret-id {name} --secret-string …"
        return Finding(label, "failed", f"{error}; store it anew: {command}")
    if used != value:
        message = 'blanks, a line end, quotes, a byte order mark, or "Bearer" around it, which are ignored'
        return Finding(label, "warning", f"the secret {name} has {message}")
    return Finding(label, "ok", f"the secret {name} exists")


def _sign(name: str, secret: str) -> str:
    try:
        check_secret(secret)
    except InvalidSecret as error:
        raise InvalidSecret(f"the secret {name} cannot sign: {error}") from None
    return secret


def _unconditional(resources: Mapping[str, Any]) -> set[str]:
    """Logical ids of the resources that every stack has. Those of layers change with each version."""
    return {
        name
        for name, each in resources.items()
        if "Condition" not in each and each["Type"] != "AWS::Lambda::LayerVersion"
    }
