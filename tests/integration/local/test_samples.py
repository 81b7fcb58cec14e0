"""A fresh cloud holds what the samples speak of, so that each is answered as it should be."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from local.config import ROOT


@pytest.mark.parametrize("how", ["in order", "prepared"])
def test_each_sample_is_true_of_it(how: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.check_samples", str(tmp_path), how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    found = json.loads(done.stdout.partition("\n")[0] or "{}")  # log lines of runs that go on may follow
    assert {name for name, right in found.items() if right is not True} == set(), done.stdout
    assert len(found) >= 5, done.stderr
