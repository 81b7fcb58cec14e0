"""An emulator of AWS with TLS and IAM on loopback, as a process of its own."""

import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import certifi
import httpx
import trustme

from local.config import ROOT

REGION = "eu-central-1"
"""The region of the guides."""

API_DOMAIN = f"execute-api.{REGION}.amazonaws.com"
ENGINE_PYTHON = ROOT / ".venv-engine" / "bin" / "python"
START_SECONDS = 60
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
"""Those of the account's root user in MiniStack."""


@dataclass(frozen=True)
class Engine:
    """A running engine. `authorities` is a file with the certificate authorities to trust."""

    port: int
    authorities: Path
    log: Path

    @property
    def url(self) -> str:
        """The endpoint of all services."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the SDKs, the AWS CLI and SAM to this engine."""
        return {
            **CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CA_BUNDLE": str(self.authorities),
            "SSL_CERT_FILE": str(self.authorities),
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            "NO_PROXY": "127.0.0.1",
        }


@contextmanager
def run_engine(folder: Path, function_python: str, hosts: Mapping[str, int]) -> Iterator[Engine]:
    """Run an engine until the context ends.

    Functions run with `function_python`. For them, and for nobody else, each of `hosts` is a public host, whose
    ports 80 and 443 lead to a port of loopback.
    """
    authority = trustme.CA()
    certificate = authority.issue_cert(
        "127.0.0.1", f"{REGION}.amazonaws.com", f"*.{REGION}.amazonaws.com", f"*.{API_DOMAIN}"
    )
    chain, key, authorities = folder / "chain.pem", folder / "key.pem", folder / "authorities.pem"
    chain.write_bytes(b"".join(each.bytes() for each in certificate.cert_chain_pems))
    key.write_bytes(certificate.private_key_pem.bytes())
    authorities.write_bytes(Path(certifi.where()).read_bytes() + authority.cert_pem.bytes())
    engine = Engine(free_port(), authorities, folder / "engine.log")
    with engine.log.open("wb") as log:
        process = subprocess.Popen(
            [ENGINE_PYTHON, Path(__file__).parent / "patched_ministack.py"],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(folder),
                "TMPDIR": str(folder),
                "AUTH": "true",
                "USE_SSL": "1",
                "MINISTACK_SSL_CERT": str(chain),
                "MINISTACK_SSL_KEY": str(key),
                "MINISTACK_HOST": f"{REGION}.amazonaws.com",
                "MINISTACK_REGION": REGION,
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(engine.port),
                "IOT_MTLS_ENABLED": "0",
                "AWS_CA_BUNDLE": str(authorities),
                "SSL_CERT_FILE": str(authorities),
                "FUNCTION_PYTHON": function_python,
                "FUNCTION_HOSTS": ",".join(f"{host}={port}" for host, port in hosts.items()),
            },
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_until_ready(engine)
        yield engine
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_until_ready(engine: Engine) -> None:
    deadline = time.monotonic() + START_SECONDS
    context = ssl.create_default_context(cafile=engine.authorities)
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{engine.url}/health", verify=context, timeout=2, trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"the engine did not start: {engine.log.read_text('utf-8')[-2000:]}")
