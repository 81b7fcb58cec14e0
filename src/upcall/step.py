"""`step`: the door of every handler that the workflow calls. A typed event in, a model out."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from upcall.log import logger
from upcall.models import Model

Event = TypeVar("Event", bound=Model)


def step(handle: Callable[[Event], Model]) -> Callable[[Mapping[str, Any], object], dict[str, Any]]:
    """Make a Lambda handler of a function from one model to another.

    The event's model is read from the function's annotation. Errors pass through: the workflow knows
    them by the names of their classes.
    """
    (kind, *_) = get_type_hints(handle).values()

    @functools.wraps(handle)
    def lambda_handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
        parsed = kind.model_validate(event)
        keys = {"run_id": event["run_id"], "step": handle.__module__}
        logger.thread_safe_append_keys(**keys)  # on a laptop many handlers share the logger
        try:
            logger.info("step")
            return handle(parsed).model_dump(mode="json")
        finally:
            logger.thread_safe_remove_keys(keys)

    return lambda_handler
