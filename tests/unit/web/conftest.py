"""A fake resolver, and no network at all."""

import ssl

import httpx
import pytest
from support.fake_network import FakeNetwork


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch) -> FakeNetwork:
    """Only numeric hosts resolve, and no connection succeeds, until a test sets `resolve`."""
    network = FakeNetwork()
    network.install(monkeypatch)
    # httpx's own loads all certificate authorities, which takes most of a test's time
    monkeypatch.setattr(httpx, "create_ssl_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    return network
