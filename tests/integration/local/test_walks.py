"""Each command of these documents prints what the document shows, and together they use every route."""

import re
import shutil

import pytest
from support.console_walk import commands_of, walk
from support.notifications import received_notifications

from local.config import ROOT
from local.stack import LocalStack
from local.template import Template

DOCUMENTS = {name: ROOT / "docs" / f"{name}.md" for name in ("api", "approvals", "your-own-tools")}

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


@pytest.mark.parametrize(
    ("document", "printed"),
    [
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
    return path.replace("$RUN_ID", "{run_id}").replace("1-1", "{call}")
