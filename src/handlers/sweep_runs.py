"""By schedule: finds runs that nothing works on any more, and has them resumed or closed."""

from typing import Any

from upcall.log import logger
from upcall.sweeping import sweep


def lambda_handler(_: object, __: object) -> dict[str, Any]:
    """Sweep once; gives the figures."""
    swept = sweep().model_dump()
    logger.info("swept", **swept)
    return swept
