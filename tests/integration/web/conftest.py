"""A fake resolver, a network of loopback only, and a certificate authority for tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.fake_network import FakeNetwork, InternalServer

from upcall.web import transport


@pytest.fixture(scope="session")
def certificate_authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(certificate_authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For SSL_CERT_FILE. Loading all public authorities takes a hundred times as long."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    certificate_authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(autouse=True)
def network(monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> FakeNetwork:
    """Only numeric hosts resolve, and only loopback can be reached, until a test sets `resolve`."""
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_file))
    transport.tls_context.cache_clear()
    network = FakeNetwork(allows_loopback=True)
    network.install(monkeypatch)
    return network


@pytest.fixture
def internal_server() -> Iterator[InternalServer]:
    """A server on loopback that nobody may connect to."""
    server = InternalServer()
    yield server
    server.close()
