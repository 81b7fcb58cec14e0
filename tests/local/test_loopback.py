"""A server on loopback, and on further addresses of the machine."""

import contextlib
import socket
import sys
import threading

import httpx
import pytest

from local import sample_pages
from local.http_server import HttpServer, PortTaken, bindable

OTHER = "127.0.0.2"
needs_another = pytest.mark.skipif(not bindable(OTHER), reason=f"this machine has no address {OTHER}")


@needs_another
def test_it_answers_on_the_same_port_of_another_address() -> None:
    server = HttpServer(sample_pages.app(), also_on=[OTHER])
    port = server.host.partition(":")[2]
    try:
        assert httpx.get(f"http://{OTHER}:{port}/tides").text == httpx.get(f"{server.url}/tides").text
    finally:
        server.stop()
    assert bindable(OTHER, int(port))


@needs_another
def test_a_port_that_is_taken_on_the_other_address_is_taken() -> None:
    server = HttpServer(sample_pages.app())
    port = int(server.host.partition(":")[2])
    other = HttpServer(sample_pages.app(), also_on=[OTHER])
    taken = int(other.host.partition(":")[2])
    try:
        assert port != taken
        with pytest.raises(PortTaken, match=str(taken)):
            HttpServer(sample_pages.app(), taken, also_on=[OTHER])
    finally:
        server.stop()
        other.stop()


def test_by_itself_it_answers_on_loopback_alone() -> None:
    server = HttpServer(sample_pages.app())
    port = int(server.host.partition(":")[2])
    try:
        assert not bindable("127.0.0.1", port)
        if bindable(OTHER):
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://{OTHER}:{port}/tides")
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let fewer wait")
def test_three_hundred_connect_at_once_and_wait_for_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the first 200 requests to a laptop cloud do; a connection that is not let in tries again for a minute."""
    server, free = HttpServer(sample_pages.app()), threading.Event()
    process = server._servers[0].process_request
    monkeypatch.setattr(server._servers[0], "process_request", lambda *a: (free.wait(), process(*a)))
    with contextlib.ExitStack() as connections:
        for _ in range(300):
            address = ("127.0.0.1", int(server.host.partition(":")[2]))
            connections.enter_context(socket.create_connection(address, timeout=2))
        free.set()
    server.stop()
