"""A copy of the project, to be changed as a user would change it, and its command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from local.config import ROOT


def copied_project(to: Path) -> None:
    """Copy what runs; the template and the folders beside it."""
    for folder in ("src", "statemachine", "local", "cli"):
        shutil.copytree(ROOT / folder, to / folder)
    shutil.copy(ROOT / "template.yaml", to)


def upcall_in(project: Path, openai_base_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the project's command to its end, with runs driven on a server."""
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *arguments],
        cwd=project,
        env={
            **os.environ,
            "PYTHONPATH": f"{project}:{project}/src",
            "OPENAI_BASE_URL": openai_base_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
