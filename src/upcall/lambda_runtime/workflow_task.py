"""`workflow_task` makes the Lambda handler of a workflow's state: a typed event in, a model out."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import ValidationError

from upcall.domain.errors import InternalError, InvalidInput, UpcallError
from upcall.domain.model import Model
from upcall.domain.validation import field_errors
from upcall.observability.logging import code_locations, log_context, logger

Event = TypeVar("Event", bound=Model)


def workflow_task(
    run_task: Callable[[Event], Model],
) -> Callable[[Mapping[str, Any], object], dict[str, Any]]:
    """Make a Lambda handler of a function from one model to another.

    The event's model is read from the function's annotation. Upcall's errors pass through: the workflow knows
    them by the names of their classes. Any other error becomes InternalError, because Lambda logs an
    exception's message, and that may quote anything.
    """
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
            except UpcallError as error:
                logger.warning("task failed", error=type(error).__name__)
                raise
            except Exception as error:
                logger.exception("task failed", error=type(error).__name__)
                raise InternalError(f"{type(error).__name__} at {code_locations(error)[-1]}") from None
            logger.info("task succeeded", status=getattr(result, "status", None))
            return result.model_dump(mode="json")

    return lambda_handler
