"""A run API module against canned answers of a server that nobody has seen."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from support.canned_server import Server, canned
from werkzeug.wrappers import Response

from local.lambda_runtime import function_environment
from local.stack import LocalStack

Answering = Callable[..., Server]


@pytest.fixture
def answering(laptop: LocalStack) -> Iterator[Answering]:
    """Let a server give these answers, one after the other, for the rest of the test."""
    with ExitStack() as stack:

        def start(*answers: Response) -> Server:
            up = stack.enter_context(canned(*answers))
            environment = {**laptop.stack.functions["PollRunFunction"].environment, "OPENAI_BASE_URL": up.url}
            stack.enter_context(function_environment(environment))
            return up

        yield start
