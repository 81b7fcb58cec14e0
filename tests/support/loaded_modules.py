"""Which modules an import loads."""

import os
import subprocess
import sys
from collections.abc import Mapping
from types import MappingProxyType


def loaded_modules(module: str, environment: Mapping[str, str] = MappingProxyType({})) -> set[str]:
    """The modules that are loaded in a new process after it has imported this one."""
    program = f"import {module}, sys; print('\\n'.join(sys.modules))"
    finished = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return set(finished.stdout.split())
