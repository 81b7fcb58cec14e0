"""The webhooks of a load test: their faults, and how the API responded to them."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.openai_emulator.webhook_delivery import Deliveries, WebhookFaults
    from local.openai_emulator.webhooks import Webhooks

SECRET_NAME = "upcall/openai-webhook-secret"  # noqa: S105  # a name

MODEL_SECONDS = 10.0
"""The time of a turn. A run whose turn has ended when its workflow looks at it would not wait for a webhook,
and under load that comes seconds late."""

DELAY_SECONDS = (0, 5)
DUPLICATED, REORDERED, LOST, FORGED = 0.3, 0.2, 0.2, 0.3
"""The share of the deliveries that have each fault."""

DRAIN_TIMEOUT_SECONDS = 60
"""A delayed webhook, with its retries, is sent some ten seconds after the end of its turn."""

POLL_INTERVAL_SECONDS = 0.2

METRIC = "RejectedWebhooks"
TASK_COMPLETED = ('"message":"run changed"', '"completed":true')
"""In the log line of a webhook that completed a task."""


@dataclass(frozen=True)
class WebhookReport:
    """What was sent, and how the API responded.

    `pushed` counts the runs that waited for webhooks, `sent` the webhooks including the lost ones, `faults`
    those that had each fault. `statuses` counts the responses to requests with the right signature, with
    their retries, and `forged_statuses` those to forged requests; the status is 0 if there was no response.
    `rejected` is the sum of the metric RejectedWebhooks, `completed_tasks` the number of waiting tasks that
    webhooks completed. The others saw the change when they started to wait, or after their time-out.
    """

    pushed: int
    sent: int
    faults: Mapping[str, int]
    statuses: Mapping[int, int]
    forged_statuses: Mapping[int, int]
    rejected: int
    completed_tasks: int

    @property
    def passed(self) -> bool:
        """Whether every forged request was rejected and counted, and no other."""
        forged = sum(self.forged_statuses.values())
        return set(self.forged_statuses) <= {0, 401} and 401 not in self.statuses and self.rejected == forged


def webhook_faults(seed: int) -> "WebhookFaults":
    """The faults of the webhooks. `seed` selects them."""
    from local.openai_emulator.webhook_delivery import WebhookFaults

    return WebhookFaults(
        delay_seconds=DELAY_SECONDS,
        duplicated=DUPLICATED,
        reordered=REORDERED,
        lost=LOST,
        forged=FORGED,
        seed=seed,
    )


def wait_for_deliveries(webhooks: "Webhooks") -> None:
    """Wait until no webhook is still to be sent, so that the audit sees what late ones do."""
    deadline = time.monotonic() + DRAIN_TIMEOUT_SECONDS
    while webhooks.pending and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_SECONDS)


def build_webhook_report(deliveries: "Deliveries", pushed: int, function_log: Path) -> WebhookReport:
    """The report on these deliveries. `function_log` has the functions' log lines and metrics."""
    return WebhookReport(
        pushed=pushed,
        sent=deliveries.count,
        faults=dict(sorted(deliveries.injected.items())),
        statuses=dict(sorted(deliveries.statuses.items())),
        forged_statuses=dict(sorted(deliveries.forged_statuses.items())),
        rejected=_sum_of_metric(function_log, METRIC),
        completed_tasks=_count_lines(function_log, TASK_COMPLETED),
    )


def _sum_of_metric(log: Path, name: str) -> int:
    """The sum of a metric without dimensions that functions have written to a log."""
    with log.open(encoding="utf-8") as lines:
        return sum(int(sum(json.loads(line)[name])) for line in lines if f'"{name}":' in line)


def _count_lines(log: Path, parts: tuple[str, ...]) -> int:
    """The number of lines of a log that have all these parts."""
    with log.open(encoding="utf-8") as lines:
        return sum(all(part in line for part in parts) for line in lines)
