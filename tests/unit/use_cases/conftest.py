"""What use cases talk to, in memory."""

import pytest
from support.fakes.batch_files import InMemoryBatchFiles
from support.fakes.batch_repository import InMemoryBatchRepository
from support.fakes.clock import FakeClock
from support.fakes.rate_limit_repository import InMemoryRateLimitRepository
from support.fakes.run_api import FakeRunApi
from support.fakes.run_repository import InMemoryRunRepository
from support.fakes.senders import InMemoryEndedExecutionQueue, InMemoryEventPublisher
from support.fakes.workflow import InMemoryBatchWorkflow, InMemoryWorkflow


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def repository() -> InMemoryRunRepository:
    return InMemoryRunRepository()


@pytest.fixture
def rate_limits() -> InMemoryRateLimitRepository:
    return InMemoryRateLimitRepository()


@pytest.fixture
def run_api() -> FakeRunApi:
    return FakeRunApi()


@pytest.fixture
def workflow() -> InMemoryWorkflow:
    return InMemoryWorkflow()


@pytest.fixture
def publisher() -> InMemoryEventPublisher:
    return InMemoryEventPublisher()


@pytest.fixture
def ended_executions() -> InMemoryEndedExecutionQueue:
    return InMemoryEndedExecutionQueue()


@pytest.fixture
def batches() -> InMemoryBatchRepository:
    return InMemoryBatchRepository()


@pytest.fixture
def files() -> InMemoryBatchFiles:
    return InMemoryBatchFiles()


@pytest.fixture
def batch_workflow() -> InMemoryBatchWorkflow:
    return InMemoryBatchWorkflow()
