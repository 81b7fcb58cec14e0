"""Webhooks of a load test: delayed by seconds, doubled, reordered, lost and forged."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from cli.load_test.runner import RunResult

if TYPE_CHECKING:
    from local.openai_emulator.webhook_delivery import Attempt
    from local.stack import LocalStack

PARAMETERS = {"OpenAIWebhookSecretName": "upcall/load-test-webhook-secret"}
"""Of a stack whose runs wait for webhooks."""


@dataclass(frozen=True)
class WebhookReport:
    """How many runs waited for webhooks, faults by name, and requests by the status of the response.

    `forged_statuses` are those of the requests with a wrong signature, `statuses` those of all others.
    """

    pushed_runs: int
    faults: Mapping[str, int]
    statuses: Mapping[int, int]
    forged_statuses: Mapping[int, int]

    @property
    def passed(self) -> bool:
        """Whether every forged webhook was refused, and no other one."""
        return set(self.forged_statuses) <= {HTTPStatus.UNAUTHORIZED} and (
            HTTPStatus.UNAUTHORIZED not in self.statuses
        )


def inject_webhook_faults(stack: "LocalStack", seed: int) -> None:
    """Let webhooks come up to 3 s late; a fifth each is doubled, reordered or lost, a tenth forged."""
    from local.openai_emulator.webhook_delivery import WebhookFaults

    stack.emulator.webhooks.deliveries.faults = WebhookFaults(
        delay_seconds=(0, 3), duplicated=0.2, reordered=0.2, lost=0.2, forged=0.1, seed=seed
    )


def report_webhooks(
    results: Iterable[RunResult], faults: Mapping[str, int], attempts: Iterable["Attempt"]
) -> WebhookReport:
    """The report on the webhooks that were sent."""
    sent = list(attempts)
    return WebhookReport(
        pushed_runs=sum(each.run is not None and each.run.updates == "pushed" for each in results),
        faults=dict(sorted(faults.items())),
        statuses=dict(Counter(each.status for each in sent if not each.forged)),
        forged_statuses=dict(Counter(each.status for each in sent if each.forged)),
    )
