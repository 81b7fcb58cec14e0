"""The README shows the workflow as it is, and its commands exist."""

import re

import pytest

from local import sample_pages
from local.config import ROOT
from local.template import Template

README = (ROOT / "README.md").read_text("utf-8")


def test_the_picture_names_every_state_of_the_workflow_and_no_other() -> None:
    picture = README.partition("```mermaid")[2].partition("```")[0]
    template = Template(ROOT)
    workflow = template.workflow(
        {f"Substitution{n}": n for n in re.findall(r"\$\{(\w+)\}", template.definition)}
    )
    inner = workflow["States"]["Call tools"]["ItemProcessor"]["States"]
    drawn = set(re.findall(r'[\[{(]"(.+?)"[\]})]', picture))

    assert {name.partition(" — ")[0] for name in drawn} - {"POST /runs → 202"} == {
        *workflow["States"],
        *inner,
    }


@pytest.mark.parametrize("target", re.findall(r"\$ make (\w+)", README))
def test_each_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def test_the_sample_pages_are_named() -> None:
    assert all(f"`{name}`" in README for name in sample_pages.names())


def test_the_tool_that_it_shows_works() -> None:
    code = README.partition("```python\n")[2].partition("```")[0]
    names: dict[str, object] = {"__name__": "tools.dice"}
    exec(compile(code, "README.md", "exec"), names)  # noqa: S102

    dice = names["dice"]
    assert callable(dice)
    assert dice(sides=1) == 1
