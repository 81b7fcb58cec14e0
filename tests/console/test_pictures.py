"""The pictures of the documentation: a run that reads the sample pages, and waits for its caller."""

import os
import time
from pathlib import Path

import pytest
from console.browser import OpenConsole
from playwright.sync_api import expect
from support.runs import Runs

from local.config import ROOT
from local.openai_emulator import CallTools, Say
from local.openai_emulator.conversation import Call
from local.stack import LocalStack

MAX_BYTES = 200_000
NOTE = "Tides, bread and lighthouses: three pages, and what they have in common is patience."
MESSAGE = (
    "The team was told. The tide comes twice a day because the earth turns under two bulges of water; bread needs "
    "time more than it needs work; and a lighthouse is read by its rhythm, not by its brightness."
)

TEAM = {
    "name": "tell_the_team",
    "description": "Tells the team.",
    "parameters": {
        "type": "object",
        "properties": {"message": {"type": "string"}},
        "required": ["message"],
        "additionalProperties": False,
    },
}
"""A tool of the caller: on this stack, nothing listens to `notify`."""


@pytest.fixture(scope="module")
def sample_run(runs: Runs, local_stack: LocalStack) -> str:
    """The id of the run."""
    pages = [f"{local_stack.endpoints.pages}/{name}" for name in ("tides", "bread", "lighthouses")]
    run_id = runs.start_script(
        CallTools(tuple(Call.of("fetch", url=page) for page in pages), after_seconds=1.1),
        CallTools((Call.of("tell_the_team", message=NOTE),), after_seconds=0.9),
        Say(MESSAGE, after_seconds=1.0),
        tools=[TEAM],
        prompt="Read the sample pages about tides, bread and lighthouses, and tell the team what they have in common.",
    )
    (call,) = runs.wait_for_open_calls(run_id)
    time.sleep(1.2)
    runs.give_outputs(run_id, {call["id"]: "The team knows."})
    runs.wait_for_end(run_id)
    return run_id


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_sample_run_is_a_picture_of_the_documentation(
    open_page: OpenConsole, sample_run: str, theme: str, tmp_path: Path
) -> None:
    """With PICTURES=1, which `make test-console` passes on, the pictures in docs/ are written anew."""
    name = f"console-{theme}.png"
    path = (ROOT / "docs" if os.environ.get("PICTURES") else tmp_path) / name
    page = open_page(f"/runs/{sample_run}", theme=theme, height=860).page
    expect(page.locator(".rounds > li")).to_have_count(3)
    expect(page.locator("section.message")).to_be_visible()

    page.screenshot(path=path)

    assert path.stat().st_size < MAX_BYTES
    assert (ROOT / "docs" / name).exists()
