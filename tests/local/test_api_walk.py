"""`docs/api.md`, done: each command is run, and prints what the document says."""

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
def test_each_command_prints_what_the_document_says(laptop: LocalStack) -> None:
    addresses = {
        "http://127.0.0.1:8781": laptop.addresses.api,
        "http://127.0.0.1:8780": laptop.addresses.pages,
    }

    def here(text: str) -> str:
        for told, real in addresses.items():
            text = text.replace(told, real)
        return text

    run_id = ""
    for command, told in STEPS:
        done = subprocess.run(
            ["bash", "-c", here(command)],
            env={"RUN_ID": run_id, "PATH": "/usr/bin:/bin:/usr/local/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        expected = ".*".join(re.escape(part) for part in here(told).split("…"))
        assert re.fullmatch(expected, done.stdout.strip(), re.DOTALL), f"{command}\n{done.stdout}"
        if not run_id:
            run_id = json.loads(done.stdout)["run_id"]


def test_the_walk_leads_through_every_route() -> None:
    asked = {
        ("POST" if "-X POST" in command else "GET", path.replace("$RUN_ID", "{run_id}"))
        for command, _ in STEPS
        for path in re.findall(r"8781(/[^\s\"?]*)", command)
    }

    assert {(route.method, route.path) for route in Template(ROOT).routes()} <= asked
