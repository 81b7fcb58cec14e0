"""Connections go to the checked address; name and certificate are still those of the URL."""

import datetime
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme
from support.raw_network import (
    RawServer,
    World,
    answer,
    at,
    raw_server,
    says,
)

from local.lambda_runtime import function_environment
from upcall.domain.errors import ToolError
from upcall.web.download import download

Serve = Callable[[trustme.LeafCert], RawServer]
NAMED: list[str | None] = []


@pytest.fixture
def served(world: World) -> Iterator[Serve]:
    """A TLS server with a certificate of the test's choice, which the resolver calls good.test."""
    from contextlib import ExitStack

    NAMED.clear()
    with ExitStack() as ends:

        def serve(certificate: trustme.LeafCert) -> RawServer:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            certificate.configure_cert(context)
            context.sni_callback = lambda _, name, __: NAMED.append(name)
            server = ends.enter_context(raw_server(says(answer(b"hello")), tls=context))
            world.resolve = lambda host, port: [at("127.0.0.1", server.port)]
            ends.enter_context(function_environment({**_environment(), "FETCH_LOCAL_HOSTS": "good.test:443"}))
            return server

        yield serve


def _environment() -> dict[str, str]:
    import os

    return {"SSL_CERT_FILE": os.environ["SSL_CERT_FILE"]}


def test_the_name_of_the_url_is_asked_for_and_checked(served: Serve, authority: trustme.CA) -> None:
    server = served(authority.issue_cert("good.test"))

    assert download("https://good.test/page").body == b"hello"
    assert NAMED == ["good.test"]
    assert server.heads[0].startswith(b"GET /page HTTP/1.1\r\nHost: good.test\r\n")


def test_a_certificate_for_another_name_is_refused(served: Serve, authority: trustme.CA) -> None:
    server = served(authority.issue_cert("other.test", "127.0.0.1"))

    with pytest.raises(ToolError, match="certificate is not valid: Hostname mismatch"):
        download("https://good.test/")
    assert server.heads == []


def test_a_certificate_that_nobody_vouches_for_is_refused(served: Serve) -> None:
    served(trustme.CA().issue_cert("good.test"))

    with pytest.raises(ToolError, match="certificate is not valid: unable to get local issuer"):
        download("https://good.test/")


def test_a_certificate_that_has_run_out_is_refused(served: Serve, authority: trustme.CA) -> None:
    yesterday = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    served(authority.issue_cert("good.test", not_after=yesterday))

    with pytest.raises(ToolError, match="certificate is not valid: certificate has expired"):
        download("https://good.test/")


def test_a_server_that_speaks_no_tls_is_said(world: World) -> None:
    with raw_server(says(b"HTTP/1.1 200 OK\r\n\r\n"), reads=False) as server:
        world.resolve = lambda host, port: [at("127.0.0.1", server.port)]
        with function_environment({**_environment(), "FETCH_LOCAL_HOSTS": "good.test:443"}):
            with pytest.raises(ToolError, match="the connection was lost: "):
                download("https://good.test/")
