"""Unit tests use no network, and therefore no local stack."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakSet

import pytest


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test that connects a socket or binds one, in its own thread or in one that it starts.

    A local stack of other tests may run in the same process. Its threads may use the network.
    """
    threads = WeakSet([threading.current_thread()])
    addresses: list[object] = []
    start = threading.Thread.start

    def start_thread(thread: threading.Thread) -> None:
        if threading.current_thread() in threads:
            threads.add(thread)
        start(thread)

    def guard(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, address: object) -> Any:
            if threading.current_thread() not in threads:
                return method(self, address)
            addresses.append(address)
            raise OSError(f"a unit test may not use the network: {address}")

        return call

    monkeypatch.setattr(threading.Thread, "start", start_thread)
    for name in ("bind", "connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, guard(getattr(socket.socket, name)))
    yield
    assert not addresses, f"the test used the network: {addresses}"
