"""Each command of `docs/api.md` prints what the document shows, and they use every route."""

import json
import re
import shutil
import subprocess

import pytest

from local.config import ROOT
from local.stack import LocalStack
from local.template import Template

DOCUMENT = (ROOT / "docs" / "api.md").read_text("utf-8")
CONSOLE = "".join(re.findall(r"```console\n(.*?)```", DOCUMENT, re.DOTALL))
STEPS = re.findall(r"\$ (curl .+)\n(.+)\n", CONSOLE)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_each_command_prints_what_the_document_shows(local_stack: LocalStack) -> None:
    endpoints = {
        "http://127.0.0.1:8781": local_stack.endpoints.api,
        "http://127.0.0.1:8780": local_stack.endpoints.pages,
    }

    def with_endpoints(text: str) -> str:
        for documented, actual in endpoints.items():
            text = text.replace(documented, actual)
        return text

    run_id = ""
    for command, output in STEPS:
        process = subprocess.run(
            ["bash", "-c", with_endpoints(command)],
            env={"RUN_ID": run_id, "PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        expected = ".*".join(re.escape(part) for part in with_endpoints(output).split("…"))
        assert re.fullmatch(expected, process.stdout.strip(), re.DOTALL), f"{command}\n{process.stdout}"
        if not run_id:
            run_id = json.loads(process.stdout)["run_id"]


def test_the_commands_use_every_route() -> None:
    used = {
        ("POST" if "-X POST" in command else "GET", path.replace("$RUN_ID", "{run_id}"))
        for command, _ in STEPS
        for path in re.findall(r"8781(/[^\s\"?]*)", command)
    }

    routes = {(route.method, route.path) for route in Template(ROOT).routes()}
    assert routes - {("POST", "/webhooks/openai")} <= used, "OpenAI uses the route for webhooks"
