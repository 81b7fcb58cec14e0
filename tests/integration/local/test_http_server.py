"""A server on loopback, and on other addresses of the machine."""

import contextlib
import socket
import sys
import threading

import httpx
import pytest

from local import sample_pages
from local.http_server import HttpServer, PortInUse, can_bind

OTHER = "127.0.0.2"
requires_other_address = pytest.mark.skipif(
    not can_bind(OTHER), reason=f"this machine has no address {OTHER}"
)


@requires_other_address
def test_it_listens_on_the_same_port_of_another_address() -> None:
    server = HttpServer(sample_pages.create_app(), extra_addresses=[OTHER])
    port = server.host.partition(":")[2]
    try:
        assert httpx.get(f"http://{OTHER}:{port}/tides").text == httpx.get(f"{server.url}/tides").text
    finally:
        server.stop()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://{OTHER}:{port}/tides")


@requires_other_address
def test_a_port_that_is_in_use_on_the_other_address_is_in_use() -> None:
    server = HttpServer(sample_pages.create_app())
    port = int(server.host.partition(":")[2])
    other = HttpServer(sample_pages.create_app(), extra_addresses=[OTHER])
    in_use = int(other.host.partition(":")[2])
    try:
        assert port != in_use
        with pytest.raises(PortInUse, match=str(in_use)):
            HttpServer(sample_pages.create_app(), in_use, extra_addresses=[OTHER])
    finally:
        server.stop()
        other.stop()


def test_by_default_it_listens_on_loopback_only() -> None:
    server = HttpServer(sample_pages.create_app())
    port = int(server.host.partition(":")[2])
    try:
        assert not can_bind("127.0.0.1", port)
        if can_bind(OTHER):
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://{OTHER}:{port}/tides")
    finally:
        server.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have a shorter backlog")
def test_three_hundred_connections_wait_to_be_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first requests of a load test are that many. A client whose connection is not queued retries for a minute."""
    server, accept = HttpServer(sample_pages.create_app()), threading.Event()
    process = server._servers[0].process_request
    monkeypatch.setattr(server._servers[0], "process_request", lambda *a: (accept.wait(), process(*a)))
    with contextlib.ExitStack() as connections:
        for _ in range(300):
            address = ("127.0.0.1", int(server.host.partition(":")[2]))
            connections.enter_context(socket.create_connection(address, timeout=2))
        accept.set()
    server.stop()
