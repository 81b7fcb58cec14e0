"""The check of the account's quota for concurrent functions."""

from collections.abc import Iterator

import boto3

from cli.doctor.deployed_stack import CLIENT_CONFIG, DeployedStack
from cli.doctor.finding import Finding

MIN_BESIDES_EVENTS = 5
"""Three functions for a run, which polls while two of its tools work, and two for requests of the API."""

RECOMMENDED_BESIDES_EVENTS = 45
"""Fifteen runs of three functions each."""

QUOTA = "--service-code lambda --quota-code L-B99A9384 --desired-value 1000"


def check_concurrency(stack: DeployedStack) -> Iterator[Finding]:
    """The functions that start runs from events must leave some of the account's concurrency to others.

    A new account may run ten functions at once. Those that other functions have reserved do not count.
    """
    limits = boto3.client("lambda", config=CLIENT_CONFIG).get_account_settings()["AccountLimit"]
    events = int(stack.parameter("EventConcurrency"))
    limit, available = limits["ConcurrentExecutions"], limits["UnreservedConcurrentExecutions"]
    message = f"the account may run {limit:,} functions at once"
    if available < limit:
        message += f", of which others have reserved {limit - available:,}"
    left = available - events
    if left >= RECOMMENDED_BESIDES_EVENTS:
        yield Finding("concurrency", "ok", message)
        return
    message += f"; EventConcurrency takes up to {events}, which leaves {max(left, 0)} for runs and requests"
    advice = f"request more: aws service-quotas request-service-quota-increase {QUOTA}"
    if left < MIN_BESIDES_EVENTS:
        message += f", and a run needs three of them; lower EventConcurrency, or {advice}"
        yield Finding("concurrency", "failed", message)
    else:
        yield Finding("concurrency", "warning", f"{message} (three for each run that is open); {advice}")
