"""Logging as it is set up in a process on Lambda."""

import json
import subprocess
import sys

from local.config import ROOT

PROGRAM = """
import logging, os, sys, warnings
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
os.environ |= {"AWS_LAMBDA_RUNTIME_API": "x", "AWS_LAMBDA_LOG_LEVEL": "DEBUG", "POWERTOOLS_LOG_LEVEL": "DEBUG"}
from upcall.observability.logging import logger
logging.getLogger("httpx").info("hunter2")
logging.getLogger("botocore").debug("hunter2")
logging.getLogger("pypdf").warning("a warning")
warnings.warn("another")
logger.debug("ours")
"""


def test_packages_log_warnings_only_and_through_upcalls_logger_at_any_level() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )

    lines = [json.loads(line) for line in finished.stdout.splitlines()]
    assert [line.get("package") or line["message"] for line in lines] == ["pypdf", "py.warnings", "ours"]
    assert "hunter2" not in finished.stdout + finished.stderr
