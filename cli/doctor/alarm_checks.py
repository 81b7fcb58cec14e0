"""The checks of a stack's alarms, and of who is notified of them."""

from collections.abc import Iterator

import boto3

from cli.doctor.deployed_stack import CLIENT_CONFIG, DeployedStack
from cli.doctor.finding import Finding


def check_alarms(stack: DeployedStack) -> Iterator[Finding]:
    """No alarm should be in the state ALARM."""
    logical_ids = {name: logical_id for logical_id, name in stack.of_type("AWS::CloudWatch::Alarm").items()}
    if not logical_ids:
        return
    client = boto3.client("cloudwatch", config=CLIENT_CONFIG)
    alarms = client.describe_alarms(AlarmNames=list(logical_ids))["MetricAlarms"]
    raised = sorted(logical_ids[each["AlarmName"]] for each in alarms if each["StateValue"] == "ALARM")
    if raised:
        message = f"in ALARM: {', '.join(raised)}; docs/operating.md describes what to do"
        yield Finding("alarms", "failed", message)
    else:
        yield Finding("alarms", "ok", f"none of {len(alarms)} alarms is in ALARM")


def check_alarm_email(stack: DeployedStack) -> Iterator[Finding]:
    """Somebody should be notified of alarms, and the address must have confirmed its subscription."""
    address = stack.parameter("AlarmEmail")
    if not address:
        message = "alarms notify nobody, because the parameter AlarmEmail is empty"
        yield Finding("alarm email", "warning", message)
        return
    topic = stack.output("AlarmTopicArn")
    pages = boto3.client("sns", config=CLIENT_CONFIG).get_paginator("list_subscriptions_by_topic")
    arns = {
        each["SubscriptionArn"]
        for page in pages.paginate(TopicArn=topic)
        for each in page["Subscriptions"]
        if each["Endpoint"] == address
    }
    command = f"aws sns subscribe --topic-arn {topic} --protocol email --notification-endpoint {address}"
    if any(arn.startswith("arn:") for arn in arns):
        yield Finding("alarm email", "ok", f"alarms notify {address}")
    elif "PendingConfirmation" in arns:
        message = (
            f"{address} has not confirmed the subscription: open the link in the e-mail from AWS "
            f"Notifications, or request a new one: {command}"
        )
        yield Finding("alarm email", "failed", message)
    else:
        message = (
            f"{address} has no subscription any more: it was cancelled, or not confirmed in time; subscribe "
            f"again: {command}"
        )
        yield Finding("alarm email", "failed", message)
