"""By schedule: starts open batches again that no execution works on, or cancels those that were stopped."""

from typing import Any

from upcall.aws import step_functions
from upcall.aws.batch_repository import batch_repository
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.observability.logging import logger
from upcall.use_cases.sweep_batches import sweep_batches

load_at_init(batch_repository, step_functions.get_client)


def lambda_handler(_: object, __: object) -> dict[str, Any]:
    """Check all open batches once. Returns the counts."""
    result = sweep_batches(
        batches=batch_repository(), workflow=step_functions, clock=SystemClock()
    ).model_dump()
    logger.info("batches swept", **result)
    return result
