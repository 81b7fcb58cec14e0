"""The one logger: structured lines, at the level that `POWERTOOLS_LOG_LEVEL` says."""

from typing import Final

from aws_lambda_powertools import Logger

SERVICE: Final = "upcall"
"""Named here and not by a variable: tools are also loaded where no function's environment is."""

logger = Logger(service=SERVICE)
