"""Prices of AWS in dollars: US East (N. Virginia), November 2026, without free tiers.

Source: https://aws.amazon.com/SERVICE/pricing/. How durable functions are metered:
https://docs.aws.amazon.com/lambda/latest/dg/durable-execution-sdk.html. The price of OpenAI's tokens is in
none of them.
"""

STATE_TRANSITION = 0.000025
"""A state of a standard workflow that is entered, or a task that is tried again."""

LAMBDA_GB_SECOND_ARM64 = 0.0000133334
LAMBDA_REQUEST = 0.0000002

DURABLE_OPERATION = 0.000008
"""An operation of a durable function: its start, a step, a poll, a wait, a callback or a context."""

DURABLE_GB_WRITTEN = 0.25
DURABLE_GB_MONTH = 0.15
"""Of data that Lambda retains after a durable execution.

These two are of the announcement in December 2025. A run writes a few KB, so they hardly matter."""

DYNAMODB_WRITE_UNIT = 0.000000625
"""A write of up to 1 KB, to the table or to an index."""

DYNAMODB_READ_UNIT = 0.000000125
"""A consistent read of up to 4 KB."""

HTTP_API_REQUEST = 0.000001
EVENTBRIDGE_EVENT = 0.000001
"""A custom event of up to 64 KB. Rules, deliveries to queues, and events of AWS services are free."""

SQS_REQUEST = 0.0000004
