"""`step`: the door of every handler that the workflow calls. A typed event in, a model out."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from pydantic import ValidationError

from upcall.errors import InvalidInput, Unexpected, UpcallError
from upcall.field_errors import field_errors
from upcall.log import about, logger, where
from upcall.models import Model

Event = TypeVar("Event", bound=Model)


def step(handle: Callable[[Event], Model]) -> Callable[[Mapping[str, Any], object], dict[str, Any]]:
    """Make a Lambda handler of a function from one model to another.

    The event's model is read from the function's annotation. Errors of ours pass through: the workflow
    knows them by the names of their classes. Any other becomes Unexpected, because Lambda logs what it is
    told of an exception, and its message may be anything.
    """
    (kind, *_) = get_type_hints(handle).values()

    @functools.wraps(handle)
    def lambda_handler(event: Mapping[str, Any], _: object) -> dict[str, Any]:
        with about(run_id=str(event.get("run_id")), step=handle.__module__):
            logger.info("step")
            try:
                result = handle(_parsed(kind, event))
            except UpcallError as error:
                logger.warning("step failed", error=type(error).__name__)
                raise
            except Exception as error:
                logger.exception("step failed", error=type(error).__name__)
                raise Unexpected(f"{type(error).__name__} at {where(error)[-1]}") from None
            logger.info("step done", status=getattr(result, "status", None))
            return result.model_dump(mode="json")

    return lambda_handler


def _parsed(kind: type[Event], event: Mapping[str, Any]) -> Event:
    try:
        return kind.model_validate(event)
    except ValidationError as error:
        raise InvalidInput(*field_errors(error)) from None
