"""`upcall doctor`: whether a deployed stack, or the laptop, has what it needs, and what to do if not."""

import socket
from collections.abc import Callable, Iterable, Iterator

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from rich.console import Console
from rich.text import Text

from cli.backends.local_stack import (
    API_PORT,
    AWS_PORT,
    PAGES_PORT,
    running_cloud,
)
from cli.commands import doctor_checks
from cli.commands.doctor_checks import (
    DeployedStack,
    Finding,
    Lacking,
    Mark,
    Resource,
)
from cli.errors import Problem
from local.config import STATE_FOLDER

MARKS: dict[Mark, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "note": ("!", "yellow"),
    "missing": ("✗", "red"),
    "unseen": ("?", "red"),
}
MOST_WORDS = 200
"""Characters of what AWS says; something between it and us may answer with a page."""
DENIED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")

Check = Callable[[DeployedStack], Iterator[Finding]]
CHECKS: tuple[tuple[str, str, Check], ...] = (
    ("stack", "cloudformation", doctor_checks.stack_complete),
    ("parts", "cloudformation", doctor_checks.parts),
    ("OpenAI key", "secretsmanager", doctor_checks.openai_secret),
    ("webhook secret", "secretsmanager", doctor_checks.webhook_secret),
    ("table", "dynamodb", doctor_checks.table),
    ("workflow", "states", doctor_checks.workflow),
    ("functions", "lambda", doctor_checks.functions),
    ("concurrency", "lambda", doctor_checks.concurrency),
    ("queue reader", "lambda", doctor_checks.queue_reader),
    ("dead letters", "sqs", doctor_checks.dead_letters),
    ("alarms", "cloudwatch", doctor_checks.alarms),
    ("alarm mail", "sns", doctor_checks.alarm_mail),
    ("API", "execute-api", doctor_checks.health),
)
"""What is looked at, in this order: a name, the service as IAM spells it, and the check."""


def examine_stack(name: str) -> Iterator[Finding]:
    """Look at a deployed stack with the user's AWS credentials. Raises Problem if it cannot be asked for."""
    stack = deployed(name)
    for what, service, check in CHECKS:
        yield from looked_at(what, service, check, stack)


def looked_at(what: str, service: str, check: Check, stack: DeployedStack) -> Iterator[Finding]:
    """What a check finds; what keeps it from looking is a finding, too."""
    try:
        yield from check(stack)
    except ClientError as error:
        yield Finding(what, "unseen", sentence(service, error))
    except BotoCoreError as error:
        yield Finding(what, "unseen", str(error))
    except Lacking as error:
        yield Finding(what, "missing", str(error))


def deployed(name: str) -> DeployedStack:
    """The stack of that name. Raises Problem if there is none, or if AWS cannot be asked."""
    try:
        aws = boto3.client("cloudformation")
        try:
            (found,) = aws.describe_stacks(StackName=name)["Stacks"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":  # AWS has no code of its own for this
                region = aws.meta.region_name
                raise Problem(f"there is no stack {name} in {region}; `sam deploy` makes one") from None
            raise
        pages = aws.get_paginator("list_stack_resources").paginate(StackName=name)
        summaries = [each for page in pages for each in page["StackResourceSummaries"]]
    except ClientError as error:
        raise Problem(sentence("cloudformation", error)) from None
    except BotoCoreError as error:
        raise Problem(f"AWS cannot be asked: {error}") from None
    return DeployedStack(
        name=name,
        status=found["StackStatus"],
        outputs={each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])},
        parameters={each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])},
        resources={
            each["LogicalResourceId"]: Resource(each["ResourceType"], each.get("PhysicalResourceId", ""))
            for each in summaries
        },
    )


def examine_laptop() -> Iterator[Finding]:
    """Look at what the laptop cloud needs: its ports, and a folder for its state."""
    cloud = running_cloud()
    if cloud:
        yield Finding("laptop cloud", "ok", f"is up: {cloud.api}, AWS at {cloud.aws}")
    else:
        for what, port in (("pages", PAGES_PORT), ("API", API_PORT), ("AWS", AWS_PORT)):
            free = _is_free(port)
            words = f"port {port} is free" if free else f"port {port} is taken by another program"
            yield Finding(what, "ok" if free else "note", words)
    try:
        STATE_FOLDER.mkdir(parents=True, exist_ok=True)
        (STATE_FOLDER / ".doctor").write_text("", "utf-8")
        (STATE_FOLDER / ".doctor").unlink()
    except OSError as error:
        yield Finding("state", "missing", f"{STATE_FOLDER} cannot be written to: {error.strerror}")
    else:
        yield Finding("state", "ok", f"is kept in {STATE_FOLDER}")


def show(console: Console, findings: Iterable[Finding]) -> list[Finding]:
    """A line for each finding as it is found. Returns those that must be mended or could not be looked at."""
    bad = []
    for each in findings:
        mark, style = MARKS[each.mark]
        console.print(Text.assemble((mark, style), f" {each.what:<15} {each.words}"), soft_wrap=True)
        if is_bad(each):
            bad.append(each)
    console.print("\nAll is well." if not bad else f"\n{len(bad)} to mend.")
    return bad


def is_bad(finding: Finding) -> bool:
    """Whether the command ends with an error because of it."""
    return finding.mark in ("missing", "unseen")


def sentence(service: str, error: ClientError) -> str:
    """An error of AWS as a sentence. A refusal names the permission that is lacking."""
    code, words = error.response["Error"]["Code"], error.response["Error"].get("Message", "")
    if code in DENIED:
        return f"these credentials may not {service}:{error.operation_name}"
    return f"AWS says to {error.operation_name}: {' '.join(words.split())[:MOST_WORDS] or code}"


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
