"""A server that never comes to an end runs into our deadline, and is told to stop."""

import json
from pathlib import Path

import pytest
from support.project_copy import copied_project, upcall_in

from local.openai_emulator import Hang
from local.stack import LocalStack

HASTY = """
description = "Has no patience."
instructions = "Be quick."

[limits]
seconds = 2
"""


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_a_run_that_takes_too_long_is_stopped_here_and_upstream(
    laptop: LocalStack, tmp_path: Path, api: str
) -> None:
    copied_project(tmp_path)
    (tmp_path / "src/assistants/hasty.toml").write_text(HASTY, "utf-8")
    model = laptop.emulator.script(Hang())
    arguments = ("run", "Go.", "--assistant", "hasty", "--model", model, "--api", api, "--json")
    run = upcall_in(tmp_path, laptop.emulator.base_url, *arguments)

    outcome = json.loads(run.stdout)
    assert (run.returncode, outcome["status"]) == (1, "failed")
    assert outcome["failure"]["code"] == "limit_seconds"
    assert outcome["failure"]["message"] == "The run was not done after 2 seconds."
    assert [turn.phase for turn in laptop.emulator.brain.begun[model]] == ["cancelled"]
