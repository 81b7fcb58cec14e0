"""A fake resolver, and no network at all."""

import pytest
from support.fake_network import FakeNetwork


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    """Only numeric hosts resolve, and no connection succeeds, until a test sets `resolve`."""
    network = FakeNetwork()
    network.install(monkeypatch)
    return network
