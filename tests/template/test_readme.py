"""The README shows the workflow as it is, and its commands and code work."""

import re

import pytest
from support.workflow_definition import MACHINES

from local import sample_pages
from local.config import ROOT

README = (ROOT / "README.md").read_text("utf-8")


def test_the_diagram_has_every_state_of_the_workflow_and_no_other() -> None:
    diagram = README.partition("```mermaid")[2].partition("```")[0]
    drawn = set(re.findall(r'[\[{(]"(.+?)"[\]})]', diagram))
    states = {name for machine in MACHINES.values() for name in machine["States"]}

    assert {name.partition(" — ")[0] for name in drawn} - {"POST /runs → 202"} == states


@pytest.mark.parametrize("target", re.findall(r"\$ make (\w+)", README))
def test_each_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_the_sample_pages_are_named() -> None:
    assert all(f"`{name}`" in README for name in sample_pages.page_names())


def test_the_tool_in_the_readme_works() -> None:
    code = README.partition("## Add a tool")[2].partition("```python\n")[2].partition("```")[0]
    names: dict[str, object] = {"__name__": "tools.dice"}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102

    dice = names["dice"]
    assert callable(dice)
    assert dice(sides=1) == 1
