import pytest
from support.fakes.waiting_requests import InMemoryWaitingRequests
from support.waiting_requests_contract import WaitingRequestsContract


@pytest.fixture
def waiting() -> InMemoryWaitingRequests:
    return InMemoryWaitingRequests(10)


class TestInMemoryWaitingRequests(WaitingRequestsContract):
    pass
