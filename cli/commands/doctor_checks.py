"""What is looked at in a deployed stack. Each check asks one service of AWS, and says what it found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import boto3
import httpx

from local.template import Template

Mark = Literal["ok", "note", "missing", "unseen"]
"""`note` is worth knowing, `missing` is to be mended, `unseen` could not be looked at."""

HEALTH_SECONDS = 15
FEW_FUNCTIONS = 50
"""A new account runs ten functions at once; a run takes two or three, a request one."""


class Lacking(Exception):
    """A stack has no such output or parameter: it is of another template, or of an older one."""


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's: what was looked at, and a sentence."""

    what: str
    mark: Mark
    words: str


@dataclass(frozen=True)
class Resource:
    """A resource of a stack: its type, and its name or ARN in AWS."""

    kind: str
    id: str


@dataclass(frozen=True)
class DeployedStack:
    """A stack as CloudFormation tells it. `resources` are by logical id."""

    name: str
    status: str
    outputs: Mapping[str, str]
    parameters: Mapping[str, str]
    resources: Mapping[str, Resource]

    def output(self, name: str) -> str:
        """An output. Raises Lacking."""
        return _of(self.outputs, "output", name)

    def parameter(self, name: str) -> str:
        """A parameter. Raises Lacking."""
        return _of(self.parameters, "parameter", name)

    def of_kind(self, kind: str) -> dict[str, str]:
        """The resources of a type: their ids by their logical ids."""
        return {name: each.id for name, each in self.resources.items() if each.kind == kind}


def stack_complete(stack: DeployedStack) -> Iterator[Finding]:
    """Whether the last deployment went through."""
    done = stack.status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
    if done:
        yield Finding("stack", "ok", f"{stack.name} is {stack.status}")
    else:
        words = (
            f"{stack.name} is {stack.status}; its events say why: aws cloudformation describe-stack-events"
        )
        yield Finding("stack", "missing", f"{words} --stack-name {stack.name}")


def parts(stack: DeployedStack) -> Iterator[Finding]:
    """Whether all of `template.yaml` is in the stack, as far as it does not depend on parameters."""
    wanted = {
        name
        for name, each in Template().transformed["Resources"].items()
        if "Condition" not in each and each["Type"] != "AWS::Lambda::LayerVersion"  # their names change
    }
    absent = sorted(wanted - set(stack.resources))
    if absent:
        words = f"in template.yaml and not in the stack: {', '.join(absent)}; build and deploy again"
        yield Finding("parts", "missing", words)
    else:
        yield Finding("parts", "ok", f"all {len(wanted)} of template.yaml are there")


def openai_secret(stack: DeployedStack) -> Iterator[Finding]:
    """Whether there is a key for OpenAI. It is read, and never shown."""
    yield _secret("OpenAI key", stack.parameter("OpenAISecretName"))


def webhook_secret(stack: DeployedStack) -> Iterator[Finding]:
    """Whether `notify` can sign, if it has somewhere to post to."""
    if stack.parameter("WebhookUrl"):
        yield _secret("webhook secret", stack.parameter("WebhookSecretName"))
    else:
        yield Finding("webhook secret", "ok", "not needed: WebhookUrl is empty")


def table(stack: DeployedStack) -> Iterator[Finding]:
    """Whether the table takes runs, forgets them in time, and can be brought back."""
    dynamodb = boto3.client("dynamodb")
    name = stack.output("TableName")
    status = dynamodb.describe_table(TableName=name)["Table"]["TableStatus"]
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]["TimeToLiveStatus"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    recovery = backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"]
    yield _is("table", status == "ACTIVE", f"{name} is {status}")
    yield _is("table expiry", expiry == "ENABLED", f"time to live is {expiry}")
    yield _is("table recovery", recovery == "ENABLED", f"point-in-time recovery is {recovery}")


def workflow(stack: DeployedStack) -> Iterator[Finding]:
    """Whether the state machine takes runs."""
    found = boto3.client("stepfunctions").describe_state_machine(
        stateMachineArn=stack.output("StateMachineArn")
    )
    status = found.get("status", "ACTIVE")
    yield _is("workflow", status == "ACTIVE", f"{found['name']} is {status}")


def functions(stack: DeployedStack) -> Iterator[Finding]:
    """Whether each function can be invoked, and runs on the runtime that the template names."""
    runtime = Template().source["Globals"]["Function"]["Runtime"]
    names = stack.of_kind("AWS::Lambda::Function")
    aws = boto3.client("lambda")
    bad = []
    for logical, name in names.items():
        found = aws.get_function_configuration(FunctionName=name)
        state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
        if (
            state not in ("Active", "Inactive") or update != "Successful"
        ):  # an idle one is Inactive, and wakes
            bad.append(f"{logical} is {state}, its last update {update}")
        elif found["Runtime"] != runtime:
            bad.append(f"{logical} runs on {found['Runtime']}, not on {runtime}; build and deploy again")
    yield from (Finding("functions", "missing", words) for words in bad)
    if not bad:
        yield Finding("functions", "ok", f"{len(names)} can be invoked, on {runtime}")


def concurrency(_: DeployedStack) -> Iterator[Finding]:
    """How many functions the account may run at once. A new one may run few."""
    limit = boto3.client("lambda").get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    words = f"the account may run {limit:,} functions at once"
    if limit < FEW_FUNCTIONS:
        yield Finding("concurrency", "note", f"{words}; Service Quotas raises that on request")
    else:
        yield Finding("concurrency", "ok", words)


def queue_reader(stack: DeployedStack) -> Iterator[Finding]:
    """Whether what is put into queues is handled."""
    aws = boto3.client("lambda")
    for logical, uuid in stack.of_kind("AWS::Lambda::EventSourceMapping").items():
        state = aws.get_event_source_mapping(UUID=uuid)["State"]
        yield _is("queue reader", state == "Enabled", f"{logical} is {state}")


def dead_letters(stack: DeployedStack) -> Iterator[Finding]:
    """Whether something could not be started or delivered."""
    sqs = boto3.client("sqs")
    for logical, url in stack.of_kind("AWS::SQS::Queue").items():
        if logical.endswith("DeadLetterQueue"):
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
            number = int(found["Attributes"]["ApproximateNumberOfMessages"])
            words = f"{logical} holds {number}"
            if number:
                words += "; docs/operating.md says how to read and redrive them"
            yield _is("dead letters", not number, words)


def alarms(stack: DeployedStack) -> Iterator[Finding]:
    """Whether an alarm is on."""
    logical_ids = {name: logical for logical, name in stack.of_kind("AWS::CloudWatch::Alarm").items()}
    if not logical_ids:
        return
    found = boto3.client("cloudwatch").describe_alarms(AlarmNames=list(logical_ids))["MetricAlarms"]
    on = [logical_ids[each["AlarmName"]] for each in found if each["StateValue"] == "ALARM"]
    if on:
        yield Finding("alarms", "missing", f"on: {', '.join(sorted(on))}; docs/operating.md says what to do")
    else:
        yield Finding("alarms", "ok", f"none of {len(found)} is on")


def alarm_mail(stack: DeployedStack) -> Iterator[Finding]:
    """Whether somebody hears of alarms."""
    topic = stack.outputs.get("AlarmTopicArn")
    if topic is None:
        yield Finding("alarm mail", "note", "nobody hears of alarms: the parameter AlarmEmail is empty")
        return
    found = boto3.client("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    address = stack.parameter("AlarmEmail")
    confirmed = any(each["SubscriptionArn"].startswith("arn:") for each in found)
    words = (
        f"goes to {address}" if confirmed else f"{address} has not confirmed; the mail has a link to follow"
    )
    yield _is("alarm mail", confirmed, words)


def health(stack: DeployedStack) -> Iterator[Finding]:
    """Whether the API answers where everybody may ask. No AWS credentials are needed or sent."""
    url = f"{stack.output('ApiUrl')}/health"
    try:
        status = httpx.get(url, timeout=HEALTH_SECONDS).status_code
    except httpx.HTTPError as error:
        yield Finding("API", "missing", f"{url} does not answer: {error}")
    else:
        yield _is("API", status == httpx.codes.OK, f"{url} answers with {status}")


def _secret(what: str, name: str) -> Finding:
    aws = boto3.client("secretsmanager")
    try:
        value = aws.get_secret_value(SecretId=name).get("SecretString", "")
    except aws.exceptions.ResourceNotFoundException:
        command = f"aws secretsmanager create-secret --name {name} --secret-string …"
        return Finding(what, "missing", f"there is no secret {name}: {command}")
    if not value.strip():
        return Finding(what, "missing", f"the secret {name} is empty")
    if value.lstrip().startswith("{"):
        return Finding(what, "missing", f"the secret {name} is JSON; it must be the plain string alone")
    return Finding(what, "ok", f"the secret {name} is there")


def _of(named: Mapping[str, str], kind: str, name: str) -> str:
    try:
        return named[name]
    except KeyError:
        raise Lacking(f"the stack has no {kind} {name}; build and deploy it again") from None


def _is(what: str, well: bool, words: str) -> Finding:
    return Finding(what, "ok" if well else "missing", words)
