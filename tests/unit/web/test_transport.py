"""Which addresses of a host are tried."""

import pytest
from support.fake_network import FakeNetwork, socket_address

from upcall.domain.errors import ToolError
from upcall.web.download import download
from upcall.web.transport import MAX_ADDRESSES


def test_a_limited_number_of_a_hosts_addresses_is_tried(network: FakeNetwork) -> None:
    network.resolve = lambda host, port: [socket_address(f"8.8.8.{number}", port) for number in range(100)]

    with pytest.raises(ToolError, match="^no connection to many.test: network is unreachable$"):
        download("http://many.test/")
    assert len(network.attempted_connections) == MAX_ADDRESSES


def test_a_host_without_addresses_is_an_error(network: FakeNetwork) -> None:
    network.resolve = lambda host, port: []

    with pytest.raises(ToolError, match="^no connection to none.test: it has no address$"):
        download("http://none.test/")
