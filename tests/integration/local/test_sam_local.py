"""`make sam-local` with a real engine: minutes, and root where an image must be made. So it is asked for:

UPCALL_SAM_LOCAL=1 .venv/bin/python -m pytest tests/local/test_sam_local.py
"""

import os
import subprocess

import pytest

from local.config import ROOT
from local.sam.expected_results import EXPECTED

STAND_IN = ROOT.parent / "shared" / "tools" / "lambda-base-image"
"""Makes a stand-in for Lambda's image where none can be pulled, and starts an engine where none answers."""


@pytest.mark.skipif(
    os.environ.get("UPCALL_SAM_LOCAL") != "1", reason="runs containers: set UPCALL_SAM_LOCAL=1"
)
def test_every_function_answers_its_sample_in_a_container_and_the_api_answers() -> None:
    if STAND_IN.exists():
        subprocess.run([STAND_IN], check=True)
    done = subprocess.run(["make", "sam-local"], cwd=ROOT, capture_output=True, text=True, check=False)

    right = [line.split()[-1] for line in done.stdout.splitlines() if line.startswith("✓") and " s  " in line]
    assert right == list(EXPECTED), done.stdout + done.stderr
    assert "✓ sam local start-api" in done.stdout
    assert done.returncode == 0
    left = subprocess.run(
        ["docker", "ps", "--quiet", "--filter", "name=upcall"], capture_output=True, text=True, check=False
    )
    assert left.stdout == ""
