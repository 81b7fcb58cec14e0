"""Lambda handlers of a workflow's states: a typed event in, a model out.

`workflow_task` is for states that take what the function returns, `waiting_task` for states that wait for
their task token (`.waitForTaskToken`).
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import ValidationError

from upcall.domain.errors import InternalError, InvalidInput, UpcallError
from upcall.domain.model import Model
from upcall.domain.validation import field_errors
from upcall.observability.logging import code_locations, log_context, logger

Event = TypeVar("Event", bound=Model)
Handler = Callable[[Mapping[str, Any], object], dict[str, Any]]


def workflow_task(
    run_task: Callable[[Event], Model],
) -> Handler:
    """Make a Lambda handler of a function from one model to another.

    The event's model is read from the function's annotation. Upcall's errors pass through: the workflow knows
    them by the names of their classes. Any other error becomes InternalError, because Lambda logs an
    exception's message, and that may quote anything.
    """
    return _lambda_handler(run_task, lambda _, output: output or {})


def waiting_task(
    complete_task: Callable[[str, dict[str, Any]], object],
) -> Callable[[Callable[[Event], Model | None]], Handler]:
    """Make a Lambda handler for a state that waits for its token, which the event has as `task_token`.

    What the function returns completes the task. If it returns None, somebody else completes it later. Errors
    fail the task as in other states. Without a token the function's result is returned.
    """

    def complete(event: Mapping[str, Any], output: dict[str, Any] | None) -> dict[str, Any]:
        token = event.get("task_token")
        if output is None or not token:
            return output or {}
        complete_task(token, output)
        return {}

    return lambda run_task: _lambda_handler(run_task, complete)


def _lambda_handler(
    run_task: Callable[[Event], Model | None],
    respond: Callable[[Mapping[str, Any], dict[str, Any] | None], dict[str, Any]],
) -> Handler:
    (event_model, *_) = get_type_hints(run_task).values()

    @functools.wraps(run_task)
    def lambda_handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
        with log_context(run_id=str(event.get("run_id")), handler=run_task.__module__):
            logger.info("task started")
            try:
                try:
                    task_event = event_model.model_validate(event)
                except ValidationError as error:
                    raise InvalidInput(*field_errors(error)) from None
                result = run_task(task_event)
                response = respond(event, result.model_dump(mode="json") if result else None)
            except UpcallError as error:
                logger.warning("task failed", error=type(error).__name__)
                raise
            except Exception as error:
                logger.exception("task failed", error=type(error).__name__)
                raise InternalError(f"{type(error).__name__} at {code_locations(error)[-1]}") from None
            logger.info("task succeeded", status=getattr(result, "status", None))
            return response

    return lambda_handler
