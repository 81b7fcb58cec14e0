"""Follows `docs/adding-a-tool.md` in a copy of the project: writes its files, runs its commands."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.project_copy import copy_project, run_upcall

from local.config import ROOT

DOCUMENT = (ROOT / "docs" / "adding-a-tool.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", DOCUMENT, re.DOTALL)


def block(kind: str) -> str:
    return str(next(text for language, text in BLOCKS if language == kind))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    copy_project(tmp_path)
    (tmp_path / "src" / "tools" / "convert.py").write_text(block("python"), "utf-8")
    template = tmp_path / "template.yaml"
    text = template.read_text("utf-8")
    template.write_text(text.replace("  RuntimeLayer:\n", f"{block('yaml')}\n  RuntimeLayer:\n", 1), "utf-8")
    return tmp_path


def test_the_commands_print_what_the_document_shows(project: Path) -> None:
    commands = re.findall(r"\$ upcall (.+)\n(.+)\n", block("console"))
    assert len(commands) == 2
    for arguments, printed in commands:
        done = run_upcall(project, *arguments.split())
        assert (done.stdout + done.stderr).strip() == printed


def test_the_tool_is_listed_with_its_schema_effect_and_function(project: Path) -> None:
    (convert,) = [
        each
        for each in json.loads(run_upcall(project, "tools", "--json").stdout)
        if each["name"] == "convert"
    ]

    assert convert["parameters"]["properties"]["to"] == {"type": ["string", "null"]}
    assert (convert["effect"], convert["function"]) == ("pure", "upcall-tool-convert")


def test_the_function_can_still_be_called_directly(project: Path) -> None:
    code = "from tools.convert import convert; print(convert(1, 'mile', to='foot'))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(project / "src")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "5280.0"


def test_the_tool_accepts_the_sample_event(project: Path) -> None:
    event = json.loads(block("json"))
    done = run_upcall(project, "tool", "convert", event["arguments"])

    assert done.stdout.strip() == "3218.688"


def test_a_tool_without_a_block_in_the_template_fails_a_test_that_prints_the_block(project: Path) -> None:
    """The failing test runs in the copy of the project."""
    template = project / "template.yaml"
    template.write_text(template.read_text("utf-8").replace(block("yaml"), ""), "utf-8")
    for folder in ("tests", "events"):
        shutil.copytree(ROOT / folder, project / folder)
    done = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "--import-mode=importlib",
            "-o", "pythonpath=tests . src", "tests/template/test_functions.py::test_each_tool_has_its_function",
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
