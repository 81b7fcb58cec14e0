"""The commands of a document, run one after the other: each prints what the document shows."""

import json
import re
import subprocess
import time
from pathlib import Path

from local.stack import LocalStack

API, PAGES = "http://127.0.0.1:8781", "http://127.0.0.1:8780"
"""The endpoints in the documents."""

SECONDS = 20
"""For a response to be as shown: a workflow may need a moment until then."""


def commands_of(document: str) -> list[tuple[str, str]]:
    """The curl commands in a document's console blocks, each with the line that it prints."""
    console = "".join(re.findall(r"```console\n(.*?)```", document, re.DOTALL))
    return re.findall(r"\$ (curl .+)\n(.+)\n", console)


def walk(document: Path, local_stack: LocalStack) -> list[str]:
    """Run the commands of a document against a local stack. Returns what each of them printed.

    RUN_ID and SECOND_RUN_ID are the ids of the first two runs that are started, DIGEST is the newest digest of
    arguments that was shown. A GET is repeated until its response is as shown. Raises AssertionError.
    """
    endpoints = {API: local_stack.endpoints.api, PAGES: local_stack.endpoints.pages}
    environment = {"PATH": "/usr/bin:/bin:/usr/local/bin", "DIGEST": ""}
    names = iter(("RUN_ID", "SECOND_RUN_ID"))
    printed = []
    for command, output in commands_of(document.read_text("utf-8")):
        for documented, actual in endpoints.items():
            command, output = command.replace(documented, actual), output.replace(documented, actual)
        text = _run(command, output, environment)
        printed.append(text)
        if f"POST {endpoints[API]}/runs -d" in command and (run_id := json.loads(text).get("run_id")):
            environment[next(names, "ANOTHER_RUN_ID")] = run_id
        if found := re.search(r'"arguments_digest":"(\w+)"', text):
            environment["DIGEST"] = found[1]
    return printed


def _run(command: str, output: str, environment: dict[str, str]) -> str:
    expected = re.compile(".*".join(re.escape(part) for part in output.split("…")), re.DOTALL)
    deadline = time.monotonic() + SECONDS
    while True:
        process = subprocess.run(
            ["bash", "-c", command], env=environment, capture_output=True, text=True, check=True
        )
        text = process.stdout.strip()
        if expected.fullmatch(text):
            return text
        may_change = " -X POST" not in command and time.monotonic() < deadline
        assert may_change, f"{command}\n{text}\nexpected:\n{output}"
        time.sleep(0.1)
