"""Runs through the real workflow."""

from collections.abc import Iterator

import pytest
from support.runs import Runs

from local.stack import LocalStack


@pytest.fixture
def runs(laptop: LocalStack) -> Iterator[Runs]:
    """Runs on the laptop cloud."""
    made = Runs(laptop)
    yield made
    made.http.close()
