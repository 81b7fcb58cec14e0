"""Handlers without a stack: in-memory fakes take the place of what a handler's module wires."""

import json
import time
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest

from local.lambda_runtime import Context
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import FakeWebhookSender, InMemoryEndedExecutionQueue, InMemoryEventPublisher
from support.fakes.waiting_requests import InMemoryWaitingRequests
from support.fakes.workflow import InMemoryWorkflow
from support.sample_events import sample_event
from support.traces import FakeSpanSender
from upcall.domain.caller import ANYBODY

ENVIRONMENT = {
    "TENANCY": "one",
    "FOUR_EYES": "no",
    "RETENTION_DAYS": "30",
    "MODEL": "gpt-5.4-mini",
    "RUN_API": "responses",
    "DEFAULT_QUOTA": "{}",
    "REQUEST_QUEUE_URL": "request-queue",
    "POLL_WINDOW_SECONDS": "0",
    "CALLBACK_SECRET_NAME": "callback-secret",
    "CALLBACK_QUEUE_URL": "callback-queue",
    "CALLBACK_DEAD_LETTER_QUEUE_URL": "callback-dead-letter-queue",
    "WEBHOOK_URL": "https://chat.example.com/hook",
    "WEBHOOK_SECRET_NAME": "webhook-secret",
    "WEBHOOK_FORMAT": "standard",
    "APPROVAL_URL": "https://approvals.example.com/?run={run_id}&call={call}",
    "OTLP_ENDPOINT": "https://collector.example.com",
    "OTLP_HEADERS_SECRET_NAME": "otlp-headers",
    "TRACE_CONTENT": "no",
    "SERVICE_NAME": "upcall",
    "TRACE_QUEUE_URL": "trace-queue",
    "TRACE_DEAD_LETTER_QUEUE_URL": "trace-dead-letter-queue",
    "DEAD_LETTER_QUEUE_URL": "request-dead-letter-queue",
    "ENDED_EXECUTION_DEAD_LETTER_QUEUE_URL": "ended-execution-dead-letter-queue",
}

NOTHING_FAILED: dict[str, Any] = {"batchItemFailures": []}


@dataclass(frozen=True)
class HttpResponse:
    """A response of the API, with its body parsed."""

    status: int
    json: dict[str, Any]
    headers: dict[str, str]

    @property
    def invalid_fields(self) -> list[str]:
        """The fields that a problem document names."""
        return [error["field"] for error in self.json["errors"]]


class WiredHandlers:
    """Invokes handlers by their names, as Lambda would."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.clock = FakeClock()
        self.repository = InMemoryRunRepository()
        self.batches = InMemoryBatchRepository()
        self.waiting_requests = InMemoryWaitingRequests()
        self.rate_limits = InMemoryRateLimitRepository()
        self.run_api = FakeRunApi()
        self.workflow = InMemoryWorkflow()
        self.ended_executions = InMemoryEndedExecutionQueue()
        self.publisher = InMemoryEventPublisher()
        self.send_webhook = FakeWebhookSender()
        self.send_to_operator = FakeWebhookSender()
        self.send_spans = FakeSpanSender()
        self.dead_letters: list[tuple[str, str, str]] = []
        """Queue, body and reason of each message in a dead-letter queue."""
        self.delays: list[tuple[str, str, int]] = []
        """Queue, receipt handle and seconds of each message that was delayed."""
        self._wiring = {
            "SystemClock": lambda: self.clock,
            "run_repository": lambda: self.repository,
            "batch_repository": lambda: self.batches,
            "waiting_requests": lambda: self.waiting_requests,
            "DynamoDBRateLimitRepository": lambda *_: self.rate_limits,
            "get_run_api": self.run_api.get,
            "step_functions": self.workflow,
            "sqs": self.ended_executions,
            "eventbridge": self.publisher,
            "_send_webhook": self.send_webhook,
            "_send_to_operator": self.send_to_operator,
            "_send_spans": self.send_spans,
            "send_to_dead_letter_queue": lambda *message: self.dead_letters.append(message),
            "delay_message": lambda *message: self.delays.append(message),
        }
        self._monkeypatch = monkeypatch
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)

    def invoke(self, name: str, event: dict[str, Any]) -> Any:
        """What the handler returns for an event."""
        module = import_module(f"handlers.{name}")
        for attribute, fake in self._wiring.items():
            if hasattr(module, attribute):
                self._monkeypatch.setattr(module, attribute, fake)
        context = Context(
            name, 256, f"arn:aws:lambda:us-east-1:123456789012:function:{name}", time.monotonic() + 60
        )
        return module.lambda_handler(event, context)

    def request(
        self,
        name: str,
        *,
        run_id: str | None = None,
        body: object = None,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        caller: str = ANYBODY,
        authorizer: dict[str, Any] | None = None,
        sent_at: float | None = None,
    ) -> HttpResponse:
        """The response to the handler's sample request, with some changes. `sent_at` is in Unix seconds."""
        event = sample_event(name)
        if sent_at is not None:
            event["requestContext"]["timeEpoch"] = round(sent_at * 1000)
        if run_id is not None:
            event["rawPath"] = event["rawPath"].replace(event["pathParameters"]["run_id"], run_id)
            event["pathParameters"]["run_id"] = run_id
            event["requestContext"]["http"]["path"] = event["rawPath"]
        if body is not None:
            event["body"] = json.dumps(body)
        if query is not None:
            event["queryStringParameters"] = query
        event["headers"] |= headers or {}
        if authorizer is not None:
            event["requestContext"]["authorizer"] = authorizer
        elif caller != ANYBODY:
            event["requestContext"]["authorizer"] = {"iam": {"userArn": caller}}
        response = self.invoke(name, event)
        return HttpResponse(response["statusCode"], json.loads(response["body"]), response["headers"])

    def deliver(self, name: str, *bodies: str, **attributes: str) -> dict[str, Any]:
        """What the handler of a queue returns for messages m0, m1, …"""
        (record,) = sample_event(name)["Records"]
        record["attributes"] |= attributes
        records = [{**record, "messageId": f"m{n}", "body": body} for n, body in enumerate(bodies)]
        result: dict[str, Any] = self.invoke(name, {"Records": records})
        return result
