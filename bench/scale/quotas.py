"""The quotas of AWS and OpenAI that many runs meet: per account and region, the defaults of us-east-1.

Each has where its figure stands, and when that was looked up. The figures of Step Functions and of OpenAI's
tiers were found in copies of the pages named here, the others on the pages themselves.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

CHECKED = "2026-11"
_DOCS = "https://docs.aws.amazon.com/"
_STEP_FUNCTIONS = _DOCS + "step-functions/latest/dg/service-quotas.html"
_API = _DOCS + "apigateway/latest/developerguide/limits.html"
_DYNAMODB = _DOCS + "amazondynamodb/latest/developerguide/TroubleshootingThrottlingOnDemand.html"
_OPENAI = "https://developers.openai.com/api/docs/guides/rate-limits"
_TEMPLATE = "template.yaml"


@dataclass(frozen=True)
class Quota:
    """`limit` is per second if `bucket` is set, which is the most that may be used at once; else a number.

    `raisable` says whether AWS, OpenAI or a parameter of the stack can raise it.
    """

    title: str
    limit: float
    source: str
    bucket: float | None = None
    raisable: bool = True
    checked: str = CHECKED


DEFAULTS: Mapping[str, Quota] = {
    "api_requests": Quota("API, requests (`RequestsPerSecond`)", 50, _TEMPLATE, 100),
    "api_account": Quota("API Gateway, requests of the account", 10_000, _API, 5_000),
    "webhook_requests": Quota("API, webhooks", 100, _TEMPLATE, 200),
    "start_execution": Quota("Step Functions, StartExecution", 300, _STEP_FUNCTIONS, 1_300),
    "transitions": Quota("Step Functions, state transitions", 5_000, _STEP_FUNCTIONS, 5_000),
    "open_executions": Quota("Step Functions, open executions", 1_000_000, _STEP_FUNCTIONS),
    "send_task_success": Quota("Step Functions, SendTaskSuccess", 500, _STEP_FUNCTIONS, 3_000),
    "lambda_concurrency": Quota(
        "Lambda, concurrent executions", 1_000, _DOCS + "lambda/latest/dg/gettingstarted-limits.html"
    ),
    "lambda_scaling": Quota(
        "Lambda, new environments of a function",
        100,
        _DOCS + "lambda/latest/dg/scaling-behavior.html",
        1_000,
        raisable=False,
    ),
    "dynamodb_table": Quota("DynamoDB, writes to a new table", 4_000, _DYNAMODB, 4_000),
    "dynamodb_partition": Quota("DynamoDB, writes to a partition", 1_000, _DYNAMODB, 1_000, raisable=False),
    "put_events": Quota(
        "EventBridge, PutEvents", 10_000, _DOCS + "eventbridge/latest/userguide/eb-quota.html", 10_000
    ),
    "sqs_concurrency": Quota(
        "SQS, functions that start runs (`EventConcurrency`)",
        5,
        _DOCS + "lambda/latest/dg/services-sqs-scaling.html",
    ),
    "openai_requests": Quota("OpenAI, requests (a model of the mini class)", 500 / 60, _OPENAI, 500),
    "openai_tokens": Quota("OpenAI, tokens (a model of the mini class)", 500_000 / 60, _OPENAI, 500_000),
}
"""Of a template without parameters, and of OpenAI's tier 1."""

NEW_ACCOUNT_CONCURRENCY = 10
"""Of Lambda in a new account (source as above), until AWS raises it."""

OPENAI_TIERS: Mapping[int, tuple[float, float]] = {1: (500, 500_000), 5: (30_000, 180_000_000)}
"""Requests and tokens per minute."""

RAISES: Mapping[str, tuple[float, float | None]] = {
    "api_requests": (500, 1_000),
    "webhook_requests": (500, 1_000),
    "start_execution": (1_000, 1_300),
    "lambda_concurrency": (3_000, None),
    "send_task_success": (1_000, 3_000),
}
"""What to ask for a million runs a day: limits and buckets. The first two are settings of the template."""


def with_tier(quotas: Mapping[str, Quota], tier: int) -> dict[str, Quota]:
    """The quotas with those of one of OpenAI's tiers."""
    requests, tokens = OPENAI_TIERS[tier]
    return {
        **quotas,
        "openai_requests": replace(quotas["openai_requests"], limit=requests / 60, bucket=requests),
        "openai_tokens": replace(quotas["openai_tokens"], limit=tokens / 60, bucket=tokens),
    }


def raised() -> dict[str, Quota]:
    """The quotas after all raises, with tier 5."""
    changes = {
        name: replace(DEFAULTS[name], limit=limit, bucket=bucket) for name, (limit, bucket) in RAISES.items()
    }
    return with_tier({**DEFAULTS, **changes}, 5)


QUOTA_SETS: Mapping[str, Mapping[str, Quota]] = {
    "defaults, tier 1": DEFAULTS,
    "defaults, tier 5": with_tier(DEFAULTS, 5),
    "raised, tier 5": raised(),
}
