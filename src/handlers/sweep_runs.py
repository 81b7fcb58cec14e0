"""By schedule: resumes or closes open runs that no execution works on, and delivers lost answers to calls."""

from typing import Any

from upcall.aws import sqs, step_functions
from upcall.aws.run_repository import run_repository
from upcall.lambda_runtime.clock import SystemClock
from upcall.lambda_runtime.init import load_at_init
from upcall.observability.logging import logger
from upcall.use_cases.sweep_runs import sweep_runs

load_at_init(run_repository, step_functions.get_client)


def lambda_handler(_: object, __: object) -> dict[str, Any]:
    """Check all open runs once. Returns the counts."""
    result = sweep_runs(
        repository=run_repository(),
        workflow=step_functions,
        waiting_tasks=step_functions,
        ended_executions=sqs,
        clock=SystemClock(),
    ).model_dump()
    logger.info("runs swept", **result)
    return result
