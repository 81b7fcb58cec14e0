"""`docs/adding-a-tool.md`, done: its files written into a copy of the project, its commands run."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.project_copy import copied_project, upcall_in

from local.config import ROOT

DOCUMENT = (ROOT / "docs" / "adding-a-tool.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", DOCUMENT, re.DOTALL)


def block(kind: str) -> str:
    return str(next(text for language, text in BLOCKS if language == kind))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copied_project(tmp_path)
    (tmp_path / "src" / "tools" / "convert.py").write_text(block("python"), "utf-8")
    template = tmp_path / "template.yaml"
    text = template.read_text("utf-8")
    template.write_text(text.replace("  RuntimeLayer:\n", f"{block('yaml')}\n  RuntimeLayer:\n", 1), "utf-8")
    return tmp_path


def test_the_commands_print_what_the_document_says(project: Path) -> None:
    told = re.findall(r"\$ upcall (.+)\n(.+)\n", block("console"))
    assert len(told) == 2
    for arguments, printed in told:
        done = upcall_in(project, "http://127.0.0.1:1", *arguments.split())
        assert (done.stdout + done.stderr).strip() == printed


def test_the_tool_is_listed_with_its_schema_effect_and_function(project: Path) -> None:
    (convert,) = [
        each
        for each in json.loads(upcall_in(project, "http://127.0.0.1:1", "tools", "--json").stdout)
        if each["name"] == "convert"
    ]

    assert convert["parameters"]["properties"]["to"] == {"type": ["string", "null"]}
    assert (convert["effect"], convert["function"]) == ("pure", "upcall-tool-convert")


def test_the_function_is_still_a_function(project: Path) -> None:
    code = "from tools.convert import convert; print(convert(1, 'mile', to='foot'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "5280.0"


def test_the_sample_event_is_what_the_tool_takes(project: Path) -> None:
    event = json.loads(block("json"))
    done = upcall_in(project, "http://127.0.0.1:1", "tool", "convert", event["arguments"])

    assert done.stdout.strip() == "3218.688"


def test_a_file_without_a_block_is_told_which_block_to_paste(project: Path) -> None:
    """The test that says so runs in the copy, as it would for whoever has forgotten the block."""
    template = project / "template.yaml"
    template.write_text(template.read_text("utf-8").replace(block("yaml"), ""), "utf-8")
    for folder in ("tests", "events"):
        shutil.copytree(ROOT / folder, project / folder)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "--import-mode=importlib",
            "-o", "pythonpath=tests . src", "tests/template/test_wiring.py::test_each_tool_has_its_function",
        ],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip

    assert done.returncode == 1
    assert "template.yaml lacks:" in done.stdout
    for line in block("yaml").strip().splitlines():
        assert line.strip() in done.stdout
