"""A run API module against canned answers of a server that nobody has seen."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from support.canned import Server, canned
from werkzeug.wrappers import Response

from local.cloud import LaptopCloud
from local.functions import function_environment

Answering = Callable[..., Server]


@pytest.fixture
def answering(laptop: LaptopCloud) -> Iterator[Answering]:
    """Let a server give these answers, one after the other, for the rest of the test."""
    with ExitStack() as stack:

        def start(*answers: Response) -> Server:
            up = stack.enter_context(canned(*answers))
            environment = {**laptop.stack.functions["PollRunFunction"].environment, "OPENAI_BASE_URL": up.url}
            stack.enter_context(function_environment(environment))
            return up

        yield start
