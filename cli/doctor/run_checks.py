"""Runs the checks of a deployed stack."""

from collections.abc import Callable, Iterator

from botocore.exceptions import BotoCoreError, ClientError

from cli.doctor import (
    alarm_checks,
    layer_checks,
    quota_checks,
    secret_checks,
    server_checks,
    settings_checks,
    stack_checks,
    webhook_checks,
)
from cli.doctor.deployed_stack import DeployedStack, OutdatedStack, describe_error, find_stack
from cli.doctor.finding import Finding

Check = Callable[[DeployedStack], Iterator[Finding]]

CHECKS: tuple[tuple[str, str, Check], ...] = (
    ("stack", "cloudformation", stack_checks.check_deployment),
    ("resources", "cloudformation", stack_checks.check_resources),
    ("settings", "cloudformation", settings_checks.check_settings),
    ("OpenAI key", "secretsmanager", secret_checks.check_openai_secret),
    ("OpenAI server", "secretsmanager", server_checks.check_server),
    ("webhook secret", "secretsmanager", secret_checks.check_webhook_secret),
    ("callback secret", "secretsmanager", secret_checks.check_callback_secret),
    ("trace headers", "secretsmanager", secret_checks.check_trace_headers_secret),
    ("OpenAI webhook", "secretsmanager", webhook_checks.check_openai_webhook_secret),
    ("OpenAI webhook", "secretsmanager", webhook_checks.check_openai_webhook),
    ("table", "dynamodb", stack_checks.check_table),
    ("workflow", "states", stack_checks.check_workflow),
    ("functions", "lambda", stack_checks.check_functions),
    ("layers", "lambda", layer_checks.check_layers),
    ("concurrency", "lambda", quota_checks.check_concurrency),
    ("event source", "lambda", stack_checks.check_event_sources),
    ("dead letters", "sqs", stack_checks.check_dead_letter_queues),
    ("alarms", "cloudwatch", alarm_checks.check_alarms),
    ("alarm email", "sns", alarm_checks.check_alarm_email),
    ("API", "execute-api", stack_checks.check_health),
)
"""All checks in order: a label, the service's prefix in IAM, and the function."""


def check_stack(name: str) -> Iterator[Finding]:
    """Check a deployed stack with the user's AWS credentials. Raises CommandError if it cannot be found."""
    stack = find_stack(name)
    for label, service, check in CHECKS:
        yield from run_check(label, service, check, stack)


def run_check(label: str, service: str, check: Check, stack: DeployedStack) -> Iterator[Finding]:
    """The findings of one check. An error that prevents the check is a finding, too."""
    try:
        yield from check(stack)
    except ClientError as error:
        yield Finding(label, "unknown", describe_error(service, error))
    except BotoCoreError as error:
        yield Finding(label, "unknown", str(error))
    except OutdatedStack as error:
        yield Finding(label, "failed", str(error))
