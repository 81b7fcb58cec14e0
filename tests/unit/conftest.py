"""Unit tests use no network, and therefore no local stack."""

import socket
from collections.abc import Iterator
from typing import Never

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that connects a socket or binds one, in whichever thread."""
    addresses: list[object] = []

    def reject(_: socket.socket, address: object) -> Never:
        addresses.append(address)
        raise OSError(f"a unit test may not use the network: {address}")

    for method in ("bind", "connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, method, reject)
    yield
    assert not addresses, f"the test used the network: {addresses}"
