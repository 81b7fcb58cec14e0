"""`make sam-local` with a container engine. It takes minutes, and root if an image has to be made, so it is optional:

UPCALL_SAM_LOCAL=1 .venv/bin/python -m pytest tests/integration/local/test_sam_local.py
"""

import os
import subprocess

import pytest

from local.config import ROOT
from local.sam.expected_results import EXPECTED

MAKE_IMAGE = ROOT.parent / "shared" / "tools" / "lambda-base-image"
"""Makes a substitute for Lambda's image if none can be pulled, and starts an engine if none responds."""


@pytest.mark.skipif(
    os.environ.get("UPCALL_SAM_LOCAL") != "1", reason="runs containers: set UPCALL_SAM_LOCAL=1"
)
def test_every_function_in_its_container_and_the_api_respond_as_expected() -> None:
    if MAKE_IMAGE.exists():
        subprocess.run([MAKE_IMAGE], check=True)
    process = subprocess.run(["make", "sam-local"], cwd=ROOT, capture_output=True, text=True, check=False)

    lines = process.stdout.splitlines()
    passed = [line.split()[-1] for line in lines if line.startswith("✓") and " s  " in line]
    assert passed == list(EXPECTED), process.stdout + process.stderr
    assert "✓ sam local start-api" in process.stdout
    assert process.returncode == 0
    containers = subprocess.run(
        ["docker", "ps", "--quiet", "--filter", "name=upcall"], capture_output=True, text=True, check=False
    )
    assert containers.stdout == ""
