from collections.abc import Iterator
from pathlib import Path

import pytest
from support.event_listener import EventListener
from support.fast_stack import fast_stack
from support.runs import Runs
from tracing.collector import Collector, run_collector

from local.stack import LocalStack


@pytest.fixture(scope="session")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    with run_collector(tmp_path_factory.mktemp("collector") / "collector.log") as running:
        yield running


@pytest.fixture(scope="session")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="session")
def local_stack(state_folder: Path, collector: Collector) -> Iterator[LocalStack]:
    """A local stack that sends traces, with content, to the collector."""
    parameters = {"OtlpEndpoint": collector.url, "TraceContent": "yes"}
    with fast_stack(state_folder, parameters=parameters) as stack:
        yield stack


@pytest.fixture(scope="session")
def runs(local_stack: LocalStack) -> Iterator[Runs]:
    with EventListener(local_stack.deployed.bus) as listener, Runs(local_stack, listener) as session:
        yield session
