"""Calls that must run at most once: each is recorded in the table before it is made.

    pk             sk           what
    ONCE#<run_id>  ONCE#<hash>  a call of a tool with effect "once": in progress, or its output

They are no items of the run's own partition, so that the role of such a tool needs no access to runs.

Powertools' Idempotency utility keeps the records. A call that is recorded as in progress, and requested
again, was interrupted: whether it took effect is not known, and it is not made again.
"""

import copy
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from upcall import config
from upcall.domain.errors import OutcomeUnknown, TransientError
from upcall.domain.tool_calls import ToolOutput

if TYPE_CHECKING:
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

SECONDS_PER_DAY = 86_400


def call_at_most_once(run_id: str, key: str, call: Callable[[], ToolOutput]) -> ToolOutput:
    """Make a call, unless a call of the same run and key was made before: then return its output.

    `call` raises nothing; its failures are outputs. Raises OutcomeUnknown, and TransientError if the table
    cannot be reached before the call is made.
    """
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig, idempotent_function
    from aws_lambda_powertools.utilities.idempotency.exceptions import (
        IdempotencyAlreadyInProgressError,
        IdempotencyInconsistentStateError,
        IdempotencyPersistenceLayerError,
    )

    outputs: list[ToolOutput] = []

    def make_call(*, key: str) -> dict[str, Any]:  # noqa: ARG001  # the argument is the record's key
        outputs.append(call())
        return outputs[0].model_dump(mode="json")

    store = copy.copy(_persistence())  # a copy, because each new one adds a handler to the client
    store.static_pk_value = f"ONCE#{run_id}"
    options = IdempotencyConfig(expires_after_seconds=config.retention_days() * SECONDS_PER_DAY)
    options.register_lambda_context(_ContextWithoutTimeout())  # type: ignore[arg-type]
    idempotent_call: Callable[..., dict[str, Any]] = idempotent_function(
        make_call,
        data_keyword_argument="key",
        persistence_store=store,
        config=options,
        key_prefix="ONCE",
    )
    try:
        return ToolOutput.model_validate(idempotent_call(key=key))
    except IdempotencyAlreadyInProgressError as error:
        raise OutcomeUnknown("an earlier try was interrupted") from error
    except (IdempotencyPersistenceLayerError, IdempotencyInconsistentStateError) as error:
        if outputs:  # the call was made; only its end could not be recorded
            return outputs[0]
        raise TransientError("the table of runs cannot be reached") from error


@cache
def _persistence() -> "DynamoDBPersistenceLayer":
    from aws_lambda_powertools.utilities.idempotency import DynamoDBPersistenceLayer

    return DynamoDBPersistenceLayer(
        config.table_name(), key_attr="pk", sort_key_attr="sk", expiry_attr="expires_at"
    )


class _ContextWithoutTimeout:
    """Stands in for Lambda's context where Powertools asks how long a call may be in progress.

    With Lambda's own time-out, Powertools would repeat a call that was interrupted.
    """

    def get_remaining_time_in_millis(self) -> int:
        return config.retention_days() * SECONDS_PER_DAY * 1000
