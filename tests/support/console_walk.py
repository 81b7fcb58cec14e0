"""The commands of a document, run one after the other: each prints what the document shows."""

import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from local.stack import LocalStack

API, PAGES = "http://127.0.0.1:8781", "http://127.0.0.1:8780"
"""The endpoints in the documents."""

SECONDS = 40
"""For a response to be as shown: a workflow may need a moment until then."""


ORDINALS = ("", "SECOND_", "THIRD_", "FOURTH_")

STARTS = r"-X POST \S+/(runs|batches) |upcall batch submit"
"""Commands that start a run or a batch."""

STARTED = r'^(?:\{"(?:run|batch)_id":")?((run|batch)_\w+)'
"""The id in what they print."""

CHANGES = r" -X POST|upcall batch (submit|cancel)"
"""Commands that are not repeated."""

UPCALL = ("cat", "seq", "upcall")
"""The programs of documents about the command, besides curl. `cat` shows a file, which is written."""


def commands_of(document: str, programs: Sequence[str] = ("curl",)) -> list[tuple[str, str]]:
    """The commands in a document's console blocks that begin with these programs, each with what it prints."""
    console = "\n".join(re.findall(r"```console\n(.*?)```", document, re.DOTALL))
    commands = re.findall(r"\$ (.+)\n((?:(?!\$ ).+\n)+)", console)
    return [(command, printed.strip()) for command, printed in commands if command.split()[0] in programs]


def walk(
    document: Path,
    local_stack: LocalStack,
    programs: Sequence[str] = ("curl",),
    folder: Path | None = None,
    **variables: str,
) -> list[str]:
    """Run the commands of a document against a local stack. Returns what each of them printed.

    RUN_ID and SECOND_RUN_ID are the ids of the first two runs that are started, BATCH_ID and so on those of
    batches, and DIGEST is the newest digest of arguments that was shown. What only reads is repeated until
    its response is as shown. `folder` is the working directory. Raises AssertionError.
    """
    endpoints = {API: local_stack.endpoints.api, PAGES: local_stack.endpoints.pages}
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "DIGEST": "", **variables}
    started_before: list[str] = []
    printed = []
    for command, output in commands_of(document.read_text("utf-8"), programs):
        for documented, actual in endpoints.items():
            command, output = command.replace(documented, actual), output.replace(documented, actual)
        if command.startswith("cat "):
            (folder or Path()).joinpath(command.split()[1]).write_text(f"{output}\n", "utf-8")
            continue
        text = _run(command, output, environment, folder)
        printed.append(text)
        started = re.search(STARTED, text, re.MULTILINE) if re.search(STARTS, command) else None
        if started and started[1] not in started_before:
            ordinal = ORDINALS[sum(each.startswith(started[2]) for each in started_before)]
            environment[f"{ordinal}{started[2].upper()}_ID"] = started[1]
            started_before.append(started[1])
        if found := re.search(r'"arguments_digest":"(\w+)"', text):
            environment["DIGEST"] = found[1]
    return printed


def _run(command: str, output: str, environment: dict[str, str], folder: Path | None) -> str:
    expected = re.compile(".*".join(re.escape(part) for part in output.split("…")), re.DOTALL)
    deadline = time.monotonic() + SECONDS
    while True:
        process = subprocess.run(
            ["bash", "-c", command],
            env=environment,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        text = process.stdout.strip()
        if expected.fullmatch(text):
            return text
        may_change = re.search(CHANGES, command) is None and time.monotonic() < deadline
        assert may_change, f"{command}\n{text}\nexpected:\n{output}"
        time.sleep(0.1)
