"""Calls that must not be repeated: each is noted in the run's table before it is made.

    pk            sk                what
    RUN#<run_id>  ONCE#<hash>       a call of a tool with effect "once": in progress, or its output

Powertools' Idempotency utility keeps the notes. A call that is noted as in progress and asked for again
was interrupted: whether it took effect is not known, and it is not made again.
"""

import copy
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from upcall import settings
from upcall.errors import OutcomeUnknown, TryAgain
from upcall.models import ToolOutput

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

SECONDS_A_DAY = 86_400


def at_most_once(run_id: str, call_id: str, act: Callable[[], ToolOutput]) -> ToolOutput:
    """Make a call, unless it was made before: then give back what it gave.

    `act` tells of its failures in its output and raises nothing. Raises OutcomeUnknown, and TryAgain if
    the table cannot be reached before the call is made.
    """
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
    from aws_lambda_powertools.utilities.idempotency.exceptions import (
        IdempotencyAlreadyInProgressError,
        IdempotencyInconsistentStateError,
        IdempotencyPersistenceLayerError,
    )

    acted: list[ToolOutput] = []

    def make_call(*, call_id: str) -> dict[str, Any]:  # noqa: ARG001  # the argument is the note's key
        acted.append(act())
        return acted[0].model_dump(mode="json")

    notes = copy.copy(_notes())  # a copy, for each one made anew adds a handler to the client
    notes.static_pk_value = f"RUN#{run_id}"
    config = IdempotencyConfig(expires_after_seconds=settings.retention_days() * SECONDS_A_DAY)
    config.register_lambda_context(_NoExpiry())  # type: ignore[arg-type]
    once: Callable[..., dict[str, Any]] = idempotent_function(
        make_call,
        data_keyword_argument="call_id",
        persistence_store=notes,
        config=config,
        key_prefix="ONCE",
    )
    try:
        return ToolOutput.model_validate(once(call_id=call_id))
    except IdempotencyAlreadyInProgressError as error:
        raise OutcomeUnknown("an earlier try was interrupted") from error
    except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError) as error:
        if acted:  # the call was made, only its end could not be noted
            return acted[0]
        raise TryAgain("the table of runs cannot be reached") from error


@cache
def _notes() -> "DynamoDBPersistenceLayer":
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    return DynamoDBPersistenceLayer(
        settings.table_name(), key_attr="pk", sort_key_attr="sk", expiry_attr="expires_at"
    )


class _NoExpiry:
    """Stands for Lambda's context where Powertools asks until when a call may be in progress.

    By Lambda's own time-out it would take an interrupted call for one that may be made again.
    """

    def get_remaining_time_in_millis(self) -> int:
        return settings.retention_days() * SECONDS_A_DAY * 1000
