"""A copy of the project that a test may change as a user would, and its `upcall` command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.config import ROOT


def copy_project(folder: Path) -> None:
    """Copy the code, the workflow and the templates."""
    for name in ("src", "statemachine", "local", "cli"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("template.yaml", "monitoring.yaml", "console.yaml"):
        shutil.copy(ROOT / name, folder)


def run_upcall(project: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command of a copied project to its end, with these variables in its environment."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": f"{project}:{project}/src",
            "UPCALL_STATE_FOLDER": str(project / ".upcall"),
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
