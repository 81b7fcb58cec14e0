"""A world in which nothing but loopback can be reached, and a certificate authority of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from support.raw_network import Canary, World

from local.lambda_runtime import function_environment


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="session")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For SSL_CERT_FILE; it is also read in a hundredth of the time that all real authorities take."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, ca_file: Path) -> Iterator[World]:
    """Names are unknown and addresses out of reach until a test says otherwise."""
    world = World()
    world.replace(monkeypatch)
    with function_environment({"SSL_CERT_FILE": str(ca_file)}):
        yield world


@pytest.fixture
def canary() -> Iterator[Canary]:
    """A server on loopback that nobody may connect to."""
    canary = Canary()
    yield canary
    canary.close()
