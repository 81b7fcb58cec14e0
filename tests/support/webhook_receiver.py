"""A webhook endpoint on loopback that records what it receives, and verifies it with the OpenAI SDK."""

import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from openai import InvalidWebhookSignatureError, OpenAI
from werkzeug.wrappers import Request, Response

from local.http_server import HttpServer
from support.waiting import wait_until

WEBHOOKS = OpenAI(api_key="x").webhooks


@dataclass
class ReceivedWebhook:
    """A delivery: its event, its headers, and whether the signature is by the receiver's secret."""

    event: dict[str, Any]
    body: bytes
    headers: dict[str, str]
    verified: bool
    received_at: float

    @property
    def id(self) -> str:
        """The header webhook-id."""
        return self.headers["Webhook-Id"]

    @property
    def type(self) -> str:
        """The type of the event."""
        return str(self.event["type"])


@dataclass
class WebhookReceiver:
    """`statuses` are those of the next responses, 204 when there is none left. `secret` is set by the test."""

    url: str = ""
    secret: str = ""
    statuses: list[int] = field(default_factory=list)
    received: list[ReceivedWebhook] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Receive a webhook (WSGI). One that is not verified is rejected with 401."""
        request = Request(environ)
        body, headers = request.get_data(), dict(request.headers)
        verified = is_verified(body, headers, self.secret)
        with self._lock:
            self.received.append(ReceivedWebhook(json.loads(body), body, headers, verified, time.time()))
            status = self.statuses.pop(0) if self.statuses else 204
        return Response(status=status if verified else 401)(environ, start_response)

    @property
    def types(self) -> list[str]:
        """The types of the verified events in the order in which they came."""
        return [each.type for each in list(self.received) if each.verified]

    def wait_for(self, *types: str) -> Sequence[ReceivedWebhook]:
        """All that was received when there is a verified event of each of these types."""
        wait_until(lambda: set(types) <= set(self.types), f"webhooks of the types {', '.join(types)}")
        return list(self.received)

    def wait_for_count(self, count: int) -> Sequence[ReceivedWebhook]:
        """All that was received when there are so many deliveries."""
        wait_until(lambda: len(self.received) >= count, f"{count} webhooks")
        return list(self.received)


@contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    """Receive webhooks at the `url` of the receiver."""
    receiver = WebhookReceiver()
    with HttpServer(receiver) as server:
        receiver.url = f"{server.url}/webhooks/openai"
        yield receiver


def is_verified(body: bytes, headers: dict[str, str], secret: str) -> bool:
    """Whether the OpenAI SDK accepts the signature."""
    try:
        WEBHOOKS.verify_signature(body, headers, secret=secret)
    except InvalidWebhookSignatureError:
        return False
    return True
