"""The sample events have the expected results on a local stack that is prepared for them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.config import ROOT


@pytest.mark.parametrize("how", ["in order", "prepared"])
def test_each_sample_event_has_its_expected_result(how: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "tests.support.check_samples", str(tmp_path), how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    results = json.loads(process.stdout.partition("\n")[0] or "{}")  # logs of runs in progress may follow
    assert {name for name, result in results.items() if result is not True} == set(), process.stdout
    assert len(results) >= 5, process.stderr
