"""POST /webhooks/openai: OpenAI says that a run has changed. The signature authorizes it."""

import time
from http import HTTPStatus

from aws_lambda_powertools.event_handler import Response

from upcall import config
from upcall.aws import step_functions
from upcall.aws.run_repository import run_repository
from upcall.aws.secrets_manager import get_secret, secrets_provider
from upcall.domain.model import Model
from upcall.domain.webhook import parse_webhook
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.http_api import (
    describe_responses,
    http_api,
    json_response,
    lambda_handler_of,
    problem_response,
    raw_body,
)
from upcall.lambda_runtime.init import load_at_init
from upcall.observability import metrics
from upcall.run_apis import get_run_api
from upcall.run_apis.client import load_sdk
from upcall.use_cases.receive_webhook import receive_webhook
from upcall.web.standard_webhooks import rejection_reason

load_sdk()
load_at_init(run_repository, secrets_provider, step_functions.get_client)
app = http_api()
lambda_handler = lambda_handler_of(app)

MAX_BODY_BYTES = 65_536
ERRORS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.SERVICE_UNAVAILABLE)


class WebhookReceived(Model):
    """That the message was received."""

    status: str = "received"


@app.post(
    "/webhooks/openai",
    operation_id="receive_webhook",
    responses=describe_responses(HTTPStatus.OK, WebhookReceived, "The message was received.", *ERRORS),
)
def handle_request() -> Response[str]:
    """Receive a webhook of OpenAI, of at most 64 KB, signed as Standard Webhooks defines it."""
    body, headers = raw_body(app.current_event), app.current_event.headers
    if len(body) > MAX_BODY_BYTES:
        return problem_response(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the body is larger than 65,536 bytes")
    secret = get_secret(config.openai_webhook_secret_name() or "")
    if reason := rejection_reason(secret, headers, body, now=time.time()):
        metrics.record_rejected_webhook()
        return problem_response(HTTPStatus.UNAUTHORIZED, reason)
    if event := parse_webhook(body):
        receive_webhook(
            headers["webhook-id"],
            event,
            repository=run_repository(),
            get_run_api=get_run_api,
            waiting_tasks=step_functions,
            clock=SystemClock(),
        )
    return json_response(HTTPStatus.OK, WebhookReceived())
