"""The pictures of the documentation, made from a run of the sample pages."""

import json

import pytest
from console.conftest import OpenConsole
from console.saved_runs import save_run

from local.config import ROOT
from local.sample_pages import page_names
from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.tool_calls import ToolCall

MAX_BYTES = 200_000
PROMPT = "Summarise http://127.0.0.1:8780/tides, http://127.0.0.1:8780/bread and http://127.0.0.1:8780/lighthouses."


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_picture_of_the_sample_run(open_page: OpenConsole, repository: DynamoDBRunRepository, theme: str) -> None:
    assert page_names()
