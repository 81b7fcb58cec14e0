"""Deliver events of a run to the URL that its caller named, and requests for approvals to the operator."""

import json
from typing import Any, Final

from upcall.domain.chat_message import WebhookFormat, chat_message
from upcall.domain.errors import NotFound, OutcomeUnknown, ToolError, TransientError
from upcall.domain.events import CallWaitsEvent, RunEndedEvent
from upcall.domain.open_calls import OpenCall
from upcall.domain.run import Run
from upcall.observability.logging import logger
from upcall.use_cases.interfaces import RunRepository, WebhookSender

_NOT_POSTED: Final = {"event", "has_callback"}
"""Fields of an event that only the bus needs."""

_TYPES: Final = {"approval": "run.approval_requested", "output": "run.output_requested"}


def deliver_callback(
    run_id: str, call_id: str | None, *, repository: RunRepository, send_webhook: WebhookSender
) -> None:
    """Post an event to its run's callback URL: the final one, or that the call of this id waits.

    What is posted comes from the table: anybody who may put events on the bus could make one up. The
    message's id is the same each time, so that a receiver can recognise a duplicate. Raises TransientError if
    it did not arrive.
    """
    run = _find_run(run_id, repository)
    if run is None or run.callback_url is None:
        logger.warning("no run to call back for")
        return
    if call_id is None:
        if not run.ended:
            logger.warning("run has not ended")
            return
        event = RunEndedEvent.of(run, repository.get_message(run))
        content = _content(f"run.{event.status}", event.ended_at, event)
        _send(send_webhook, run.callback_url, f"msg_{run.execution_name}", content)
    elif call := _find_waiting_call(run, call_id, repository):
        content = _content(_TYPES[call.waits_for], call.since, CallWaitsEvent.of(run, call))
        _send(send_webhook, run.callback_url, f"msg_{run.execution_name}_{call.id}", content)


def notify_approvers(
    run_id: str,
    call_id: str,
    *,
    webhook_url: str,
    webhook_format: WebhookFormat,
    approval_url: str,
    repository: RunRepository,
    send_webhook: WebhookSender,
) -> None:
    """Post to the operator's webhook that the call of this id waits for an approval.

    `approval_url` leads to where it is decided; `{run_id}` and `{call}` in it are replaced. If it is empty,
    there is no link. The message holds no arguments. Raises TransientError if it did not arrive.
    """
    run = _find_run(run_id, repository)
    call = _find_waiting_call(run, call_id, repository) if run else None
    if run is None or call is None or call.waits_for != "approval":
        return
    text = (
        f"A call of {call.call.name} waits for an approval until {call.until:%Y-%m-%d %H:%M} UTC: "
        f"call {call.id} of run {run.run_id} (assistant {run.assistant})."
    )
    url = approval_url.replace("{run_id}", run.run_id).replace("{call}", call.id)
    data = _data(CallWaitsEvent.of(run, call))
    content = chat_message(webhook_format, "upcall.approval_requested", call.since, text, data, url or None)
    _send(send_webhook, webhook_url, f"msg_{run.execution_name}_{call.id}", content)


def _find_run(run_id: str, repository: RunRepository) -> Run | None:
    try:
        return repository.get_run(run_id)
    except NotFound:
        return None


def _find_waiting_call(run: Run, call_id: str, repository: RunRepository) -> OpenCall | None:
    """The call, if it still waits: nobody needs to hear of one that was answered meanwhile."""
    call = repository.get_open_call(run, call_id)
    if run.ended or call is None or call.answer is not None:
        logger.info("call waits no longer")
        return None
    return call


def _content(kind: str, timestamp: Any, event: RunEndedEvent | CallWaitsEvent) -> dict[str, Any]:
    return {"type": kind, "timestamp": timestamp, "data": _data(event)}


def _data(event: RunEndedEvent | CallWaitsEvent) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(event.model_dump_json(exclude=_NOT_POSTED, exclude_none=True))
    return data


def _send(send_webhook: WebhookSender, url: str, message_id: str, content: dict[str, Any]) -> None:
    try:
        send_webhook(url, message_id, content)
    except (ToolError, OutcomeUnknown) as error:
        logger.warning("callback not delivered")
        raise TransientError(str(error)) from error
    logger.info("callback delivered")
