"""Deliveries to webhook endpoints: signed POSTs, their retries, and faults for tests."""

import random
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from local.openai_emulator.scheduler import Scheduler
from local.openai_emulator.webhook_endpoints import WebhookEndpoint, new_secret
from upcall.web.standard_webhooks import signature_headers

if TYPE_CHECKING:
    import httpx

RETRY_SECONDS: tuple[float, ...] = (0.2, 1.0, 5.0)
"""The pauses before a failed delivery is sent again. OpenAI retries with growing pauses for 72 hours."""

TIMEOUT_SECONDS = 10.0

MAX_HOLD_SECONDS = 1.0
"""The longest time for which a reordered delivery waits for a later one."""

NO_RESPONSE = 0


@dataclass(frozen=True)
class WebhookFaults:
    """Faults of deliveries. Each number is the share of deliveries that have the fault, from 0 to 1.

    A lost delivery is never sent. A duplicated one is sent twice at once, a reordered one after a later
    delivery to its endpoint, and a forged one has a copy before it that is signed with a wrong secret. All
    are delayed by a random time in the range `delay_seconds`. `seed` decides, if events happen one after the
    other.
    """

    delay_seconds: tuple[float, float] = (0, 0)
    duplicated: float = 0
    reordered: float = 0
    lost: float = 0
    forged: float = 0
    seed: int = 0


@dataclass(frozen=True)
class Delivery:
    """An event for an endpoint. `id` is the header webhook-id, which all attempts have."""

    number: int
    id: str
    endpoint: WebhookEndpoint
    event_type: str
    body: bytes


@dataclass(frozen=True)
class Attempt:
    """A request to an endpoint, and the status of the response; 0 if there was none."""

    delivery: Delivery
    status: int
    forged: bool

    @property
    def succeeded(self) -> bool:
        """Whether the endpoint has the event."""
        return 200 <= self.status < 300


class Deliveries:
    """Sends deliveries in threads of the background. `injected` counts the faults by name.

    `count` is the number of deliveries, including the lost ones. `statuses` and `forged_statuses` count the
    requests by the status of the response. `attempts` are the last requests, oldest first.
    """

    def __init__(self, scheduler: Scheduler, faults: WebhookFaults) -> None:
        self.faults = faults
        self.retry_seconds = RETRY_SECONDS
        self.injected: Counter[str] = Counter()
        self.count = 0
        self.statuses: Counter[int] = Counter()
        self.forged_statuses: Counter[int] = Counter()
        self.attempts: deque[Attempt] = deque(maxlen=10_000)
        self._scheduler = scheduler
        self._random = random.Random(faults.seed)  # noqa: S311  # not for cryptography
        self._lock = threading.Lock()
        self._held: list[Delivery] = []

    def send(self, delivery: Delivery) -> None:
        """Send a delivery soon, with the faults that are drawn for it."""
        with self._lock:
            delay, faults = self._draw_faults()
            self.count += 1
            self.injected.update(faults)
            reordered = "reordered" in faults and "lost" not in faults
            if reordered:
                self._held.append(delivery)
        due = time.time() + delay
        if "forged" in faults:
            self._scheduler.call_at(due, lambda: self._attempt(delivery, forged=True))
        if "lost" in faults:
            return
        if reordered:
            self._scheduler.call_at(due + MAX_HOLD_SECONDS, lambda: self._release(delivery))
        else:
            self._scheduler.call_at(due, lambda: self._attempt(delivery))
        if "duplicated" in faults:
            self._scheduler.call_at(due, lambda: self._attempt(delivery))

    def post(self, delivery: Delivery, secret: str) -> int:
        """POST a delivery. Returns the status of the response, or NO_RESPONSE."""
        import httpx

        headers = {
            "Content-Type": "application/json",
            "User-Agent": "OpenAI/1.0 (+https://platform.openai.com/docs/webhooks)",
            **signature_headers(secret, delivery.id, delivery.body),
        }
        try:
            response = self._client.post(delivery.endpoint.url, content=delivery.body, headers=headers)
        except httpx.HTTPError:
            return NO_RESPONSE
        return response.status_code

    @cached_property
    def _client(self) -> "httpx.Client":
        import httpx

        return httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False)

    def _draw_faults(self) -> tuple[float, set[str]]:
        """The delay and the faults of a delivery. Each takes as many random numbers as the others."""
        delay = self._random.uniform(*self.faults.delay_seconds)
        names = ("duplicated", "reordered", "lost", "forged")
        return delay, {name for name in names if self._random.random() < getattr(self.faults, name)}

    def _attempt(self, delivery: Delivery, *, retries: int = 0, forged: bool = False) -> None:
        secret = new_secret() if forged else delivery.endpoint.signing_secrets
        attempt = Attempt(delivery, self.post(delivery, secret), forged)
        with self._lock:
            self.attempts.append(attempt)
            (self.forged_statuses if forged else self.statuses)[attempt.status] += 1
        if forged:
            return
        if not attempt.succeeded and retries < len(self.retry_seconds):
            due = time.time() + self.retry_seconds[retries]
            self._scheduler.call_at(due, lambda: self._attempt(delivery, retries=retries + 1))
        for held in self._take_held_before(delivery):
            self._scheduler.call_at(time.time(), lambda held=held: self._attempt(held))  # type: ignore[misc]

    def _take_held_before(self, delivery: Delivery) -> list[Delivery]:
        with self._lock:
            taken = [
                each
                for each in self._held
                if each.endpoint is delivery.endpoint and each.number < delivery.number
            ]
            self._held = [each for each in self._held if each not in taken]
        return taken

    def _release(self, delivery: Delivery) -> None:
        """Send a delivery that no later one has followed."""
        with self._lock:
            if delivery not in self._held:
                return
            self._held.remove(delivery)
        self._attempt(delivery)
