"""TLS: the connection goes to the checked address; SNI and certificate are those of the name in the URL."""

import datetime
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import trustme
from support.fake_network import FakeNetwork, socket_address
from support.raw_server import RawServer, http_response, raw_server, respond_with

from upcall.domain.errors import ToolError
from upcall.web.download import download
from upcall.web.ssrf import exempt_hosts

ServeWith = Callable[[trustme.LeafCert], RawServer]


@pytest.fixture(autouse=True)
def good_test_is_exempt() -> Iterator[None]:
    with exempt_hosts(["good.test:443"]):
        yield


@pytest.fixture
def server_names() -> list[str | None]:
    """The names in the SNI of all connections."""
    return []


@pytest.fixture
def serve_with(network: FakeNetwork, server_names: list[str | None]) -> Iterator[ServeWith]:
    """Start a TLS server with the given certificate. All names resolve to it."""
    with ExitStack() as stack:

        def start(certificate: trustme.LeafCert) -> RawServer:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            context.sni_callback = lambda _, name, __: server_names.append(name)
            server = stack.enter_context(raw_server(respond_with(http_response(b"hello")), tls=context))
            network.resolve = lambda host, port: [socket_address("127.0.0.1", server.port)]
            return server

        yield start


def test_sni_and_host_are_the_name_in_the_url(
    serve_with: ServeWith, server_names: list[str | None], certificate_authority: trustme.CA
) -> None:
    server = serve_with(certificate_authority.issue_cert("good.test"))

    assert download("https://good.test/page").body == b"hello"
    assert server_names == ["good.test"]
    assert server.request_heads[0].startswith(b"GET /page HTTP/1.1\r\nHost: good.test\r\n")


def test_a_certificate_for_another_name_is_rejected(
    serve_with: ServeWith, certificate_authority: trustme.CA
) -> None:
    server = serve_with(certificate_authority.issue_cert("other.test", "127.0.0.1"))

    with pytest.raises(ToolError, match="certificate is not valid: Hostname mismatch"):
        download("https://good.test/")
    assert server.request_heads == []


def test_a_certificate_of_an_unknown_authority_is_rejected(serve_with: ServeWith) -> None:
    serve_with(trustme.CA().issue_cert("good.test"))

    with pytest.raises(ToolError, match="certificate is not valid: unable to get local issuer"):
        download("https://good.test/")


def test_an_expired_certificate_is_rejected(serve_with: ServeWith, certificate_authority: trustme.CA) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    serve_with(certificate_authority.issue_cert("good.test", not_after=yesterday))

    with pytest.raises(ToolError, match="certificate is not valid: certificate has expired"):
        download("https://good.test/")


def test_a_server_without_tls_is_an_error(network: FakeNetwork) -> None:
    with raw_server(respond_with(b"HTTP/1.1 200 OK\r\n\r\n"), reads_request=False) as server:
        network.resolve = lambda host, port: [socket_address("127.0.0.1", server.port)]
        with pytest.raises(ToolError, match="the connection was lost: "):
            download("https://good.test/")
