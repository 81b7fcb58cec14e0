"""A shell in which the commands of a guide run, one after the other, in a copy of the project."""

import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.config import ROOT

END = "__end_of_command__"


@dataclass(frozen=True)
class Result:
    """What a command printed, on both streams, and its exit code."""

    command: str
    output: str
    code: int
    seconds: float


RESULTS: list[Result] = []
"""Of all shells, for the summary at the end."""


class OperatorShell:
    """Bash with the state that commands leave behind: variables, functions, and files in its folder."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        self._answers = folder.parent / "answers"
        self._process = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command: str, *, answers: str = "y\n" * 9, seconds: float = 300) -> Result:
        """Run a command, whose standard input is `answers`. Kills the shell if it takes too long."""
        assert self._process.stdin
        assert self._process.stdout
        started = time.monotonic()
        self._answers.write_text(answers, "utf-8")
        timer = threading.Timer(seconds, self._process.kill)
        timer.start()
        self._process.stdin.write(f"{{ {command}\n}} < {self._answers}; echo {END}$?\n")
        self._process.stdin.flush()
        output = ""
        for line in self._process.stdout:
            output += line
            if END in line:
                break
        timer.cancel()
        output, _, code = output.rpartition(END)
        result = Result(command, output.strip(), int(code or -1), time.monotonic() - started)
        RESULTS.append(result)
        return result

    def close(self) -> None:
        """End the shell, and what it runs."""
        try:
            self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired:  # a command was interrupted
            self._process.kill()
            self._process.communicate()


def copy_project(folder: Path) -> None:
    """Copy what is under version control, as a clone would."""
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, files):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(source.read_bytes())
