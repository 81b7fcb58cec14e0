"""What `upcall doctor` finds about the alarms of a stack."""

import uuid
from dataclasses import replace

import boto3
import pytest
from support.canned_server import canned_server
from support.doctor import findings, messages, statuses, with_parameters, with_resource
from werkzeug.wrappers import Response

from cli.doctor import alarm_checks
from cli.doctor.deployed_stack import DeployedStack

ADDRESS = "ops@example.com"


def test_a_raised_alarm_is_named(stack: DeployedStack) -> None:
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
    before = statuses(alarm_checks.check_alarms, watched)
    cloudwatch.set_alarm_state(AlarmName="upcall-Doctored", StateValue="ALARM", StateReason="test")

    assert before == {"alarms": "ok"}
    assert messages(alarm_checks.check_alarms, watched).startswith("in ALARM: DoctoredAlarm;")


def test_alarms_that_notify_nobody_are_a_warning(stack: DeployedStack) -> None:
    assert statuses(alarm_checks.check_alarm_email, stack) == {"alarm email": "warning"}


@pytest.fixture
def notifying(stack: DeployedStack) -> DeployedStack:
    """The stack with an address to notify, and a topic that the address is not subscribed to."""
    topic = boto3.client("sns").create_topic(Name=f"doctor-{uuid.uuid4()}")["TopicArn"]
    configured = with_parameters(stack, AlarmEmail=ADDRESS)
    return replace(configured, outputs={**stack.outputs, "AlarmTopicArn": topic})


def test_a_confirmed_address_is_notified(notifying: DeployedStack) -> None:
    topic = notifying.outputs["AlarmTopicArn"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=ADDRESS)  # moto confirms it

    (found,) = findings(alarm_checks.check_alarm_email, notifying)
    assert (found.status, found.message) == ("ok", f"alarms notify {ADDRESS}")


def test_a_subscription_that_is_gone_is_a_problem(notifying: DeployedStack) -> None:
    topic = notifying.outputs["AlarmTopicArn"]
    boto3.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint="others@example.com")

    (found,) = findings(alarm_checks.check_alarm_email, notifying)
    assert found.status == "failed"
    assert found.message.startswith(f"{ADDRESS} has no subscription any more")
    assert f"aws sns subscribe --topic-arn {topic}" in found.message


def test_an_address_that_has_not_confirmed_is_a_problem(
    notifying: DeployedStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    members = {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": ADDRESS}
    member = "".join(f"<{name}>{value}</{name}>" for name, value in members.items())
    name = "ListSubscriptionsByTopic"
    xml = (
        f'<{name}Response xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><{name}Result><Subscriptions>'
        f"<member>{member}</member></Subscriptions></{name}Result></{name}Response>"
    )
    with canned_server(Response(xml, content_type="text/xml")) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        (found,) = findings(alarm_checks.check_alarm_email, notifying)

    assert found.status == "failed"
    assert found.message.startswith(f"{ADDRESS} has not confirmed the subscription: open the link")


def test_an_address_without_a_topic_needs_another_deployment(stack: DeployedStack) -> None:
    (found,) = findings(alarm_checks.check_alarm_email, with_parameters(stack, AlarmEmail=ADDRESS))

    assert (found.status, found.message) == (
        "failed",
        "the stack has no output AlarmTopicArn; build and deploy it again",
    )
