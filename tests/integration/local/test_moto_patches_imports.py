"""The local stack does not load services of moto that it does not use."""

import json
import subprocess
import sys

from local.config import ROOT

PROGRAM = """
import json, sys
import local.stack
from local.moto_patches.imports import MODULES, UNUSED_SERVICES
loaded = [name for name in sys.modules if name.startswith("moto.") and name.split(".")[1] in UNUSED_SERVICES]
assert all(name in sys.modules for name in MODULES)
from moto.kinesis.models import KinesisBackend
print(json.dumps({"loaded": loaded, "later": KinesisBackend.__module__}))
"""


def test_unused_services_are_loaded_when_they_are_imported_and_not_before() -> None:
    """`moto.cloudformation.parsing` and the tasks of workflows import them."""
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"AWS_PROFILE": "missing"},  # EC2 fails to load with such a profile
        capture_output=True,
        text=True,
        check=False,
    )

    assert process.returncode == 0, process.stderr
    assert json.loads(process.stdout) == {"loaded": [], "later": "moto.kinesis.models"}
