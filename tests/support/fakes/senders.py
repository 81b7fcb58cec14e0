"""An event bus, a queue and a webhook sender that keep what they are given."""

from typing import Any

from upcall.domain.batch import BatchEndedEvent
from upcall.domain.events import CallWaitsEvent, RunEndedEvent, RunEvent
from upcall.domain.execution import Execution


class InMemoryEventPublisher:
    """Implements EventPublisher. `error` is raised instead if it is set.

    `events` lists the final events of runs that were published, `waiting_calls` those of calls that wait,
    `batch_events` those of batches.
    """

    def __init__(self) -> None:
        self.events: list[RunEndedEvent] = []
        self.waiting_calls: list[CallWaitsEvent] = []
        self.batch_events: list[BatchEndedEvent] = []
        self.error: Exception | None = None

    def publish(self, event: RunEvent | BatchEndedEvent) -> None:
        """See EventPublisher."""
        if self.error is not None:
            raise self.error
        if isinstance(event, RunEndedEvent):
            self.events.append(event)
        elif isinstance(event, BatchEndedEvent):
            self.batch_events.append(event)
        else:
            self.waiting_calls.append(event)


class InMemoryEndedExecutionQueue:
    """Implements EndedExecutionQueue. `executions` lists what was enqueued."""

    def __init__(self) -> None:
        self.executions: list[Execution] = []

    def enqueue_ended_execution(self, execution: Execution) -> None:
        """See EndedExecutionQueue."""
        self.executions.append(execution)


class FakeWebhookSender:
    """Implements WebhookSender. `messages` lists what was posted: URL, message id, content.

    `error` is raised after a message was posted, if it is set.
    """

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, dict[str, Any]]] = []
        self.error: Exception | None = None

    def __call__(self, url: str, message_id: str, content: dict[str, Any], /) -> None:
        """See WebhookSender."""
        self.messages.append((url, message_id, content))
        if self.error is not None:
            raise self.error
