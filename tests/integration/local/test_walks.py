"""Each command of these documents prints what the document shows, and together they use every route."""

import json
import os
import re
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from support.console_walk import UPCALL, commands_of, walk
from support.notifications import received_notifications

from local.config import ROOT
from local.stack import LocalStack
from local.template import Template
from upcall.domain import batch_request
from upcall.lambda_runtime.http_api import MAX_BODY_BYTES

DOCUMENTS = {name: ROOT / "docs" / f"{name}.md" for name in ("api", "approvals", "batches", "your-own-tools")}

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


@needs_curl
@pytest.mark.parametrize("name", ["api", "your-own-tools"])
def test_each_command_prints_what_the_document_shows(local_stack: LocalStack, name: str) -> None:
    assert len(walk(DOCUMENTS[name], local_stack)) >= 6


@needs_curl
def test_an_approved_message_is_sent_once_and_a_denied_one_is_not(local_stack: LocalStack) -> None:
    with received_notifications(local_stack) as notifications:
        assert len(walk(DOCUMENTS["approvals"], local_stack)) >= 10

    sent = [request.json["data"]["message"] for request in notifications.server.requests]
    assert sent == ["The tide comes twice a day."]


@needs_curl
def test_a_batch_is_submitted_watched_and_read_as_the_document_shows(
    local_stack: LocalStack, tmp_path: Path
) -> None:
    program = tmp_path / "upcall"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m cli.main "$@"\n', "utf-8")
    program.chmod(0o755)
    (tmp_path / "running.json").write_text(json.dumps(asdict(local_stack.endpoints)), "utf-8")
    variables = {
        "PATH": f"{tmp_path}:/usr/bin:/bin:/usr/local/bin",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "src"))),
        "UPCALL_STATE_FOLDER": str(tmp_path),
        "COLUMNS": "100",
    }

    assert len(walk(DOCUMENTS["batches"], local_stack, ("curl", *UPCALL), tmp_path, **variables)) >= 12


def test_the_limits_of_batches_are_those_of_the_code() -> None:
    table = DOCUMENTS["batches"].read_text("utf-8").partition("## Limits")[2].partition("## ")[0]
    documented = [int(each.replace(",", "")) for each in re.findall(r"\b\d[\d,]*\b", table)]

    assert documented == [
        batch_request.MAX_INLINE_INPUTS,
        MAX_BODY_BYTES,
        batch_request.MAX_LINES,
        batch_request.MAX_LINE_BYTES,
        batch_request.MAX_CONCURRENCY,
        batch_request.DEFAULT_CONCURRENCY,
        batch_request.MAX_DEFAULTS_BYTES,
        batch_request.MAX_CUSTOM_ID_CHARACTERS,
        batch_request.MAX_KEY_BYTES,
    ]


@pytest.mark.parametrize(
    ("document", "printed"),
    [
        ("docs/batches.md", "1 completed\n2 failed"),
        ("README.md", "depth answered: 4.2"),
        ("docs/your-own-tools.md", "completed depth answered: 4.2"),
    ],
)
def test_the_python_program_in_a_document_answers_its_own_calls(
    local_stack: LocalStack, capsys: pytest.CaptureFixture[str], document: str, printed: str
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / document).read_text("utf-8"), re.DOTALL)
    (program,) = (block for block in blocks if "upcall.client" in block)
    program = program.replace("http://127.0.0.1:8781", local_stack.endpoints.api)

    exec(compile(program, document, "exec"), {"__name__": "program"})  # noqa: S102

    assert capsys.readouterr().out.strip() == printed


def test_the_commands_use_every_route() -> None:
    used = {
        ("POST" if "-X POST" in command else "GET", _route(path))
        for document in DOCUMENTS.values()
        for command, _ in commands_of(document.read_text("utf-8"))
        for path in re.findall(r"8781(/[^\s\"?]*)", command)
    }

    routes = {(route.method, route.path) for route in Template(ROOT).routes()}
    assert routes - {("POST", "/webhooks/openai")} <= used, "OpenAI uses the route for webhooks"


def _route(path: str) -> str:
    path = re.sub(r"\$[A-Z_]*BATCH_ID", "{batch_id}", path)
    return path.replace("$RUN_ID", "{run_id}").replace("1-1", "{call}")
