"""The command as a user has it: another process, with a state folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from local.config import ROOT

Finished = subprocess.CompletedProcess[str]
Upcall = Callable[..., Finished]

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A newcomer's variables: no key, a state folder, an AWS profile and a proxy that lead nowhere."""
    ours = ("AWS_", "OPENAI_", "UPCALL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {
        **kept,
        "UPCALL_STATE_FOLDER": str(tmp_path_factory.mktemp("state")),
        "AWS_PROFILE": "nobody",
        "HTTP_PROXY": "http://127.0.0.1:1",
        "COLUMNS": "120",
    }


@pytest.fixture(scope="module")
def upcall(environment: dict[str, str]) -> Upcall:
    """Run the command to its end."""

    def run(*arguments: str, folder: Path = ROOT, **variables: str) -> Finished:
        return subprocess.run(
            [sys.executable, "-m", "cli.main", *arguments],
            cwd=folder,
            env={**environment, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    return run


def problem(finished: Finished) -> str:
    """The one line that a command says to bad input."""
    assert (finished.returncode, finished.stdout) == (2, "")
    (line,) = finished.stderr.strip().splitlines()
    return line
