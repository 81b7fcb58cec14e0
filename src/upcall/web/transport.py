"""The only way to the network: connections to addresses that were checked, with a bound on time and bytes.

An HTTP client's time-outs are per read, so a server that drips a byte now and then holds it for ever, and
its headers and redirects are counted nowhere. Here every wait ends at one deadline, and every byte off the
wire is counted, whatever it belongs to.
"""

import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore
import httpx

from upcall.domain.errors import ToolError
from upcall.web.ssrf import public_addresses

CONNECT_SECONDS = 5.0
"""For one address of several."""

MAX_ADDRESSES = 4


@dataclass
class Allowance:
    """What a download may still take. Raises ToolError once it is used up."""

    seconds: float
    wire_bytes: int

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.seconds
        self._bytes_left = self.wire_bytes

    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ToolError(f"the server took longer than {self.seconds:g} seconds")
        return left

    def take(self, count: int) -> None:
        """Count bytes that came off the wire."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ToolError(f"the server sent more than {self.wire_bytes:,} bytes")


class Transport(httpx.BaseTransport):
    """httpx's way to the network, with the name for Host, SNI and certificate, and checked addresses."""

    def __init__(self, allowance: Allowance) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(), network_backend=_Network(allowance)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises ToolError, and httpcore's errors."""
        url = request.url
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
            )
        )
        assert isinstance(answer.stream, Iterable)  # noqa: S101  # the synchronous half of a union
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer), extensions=answer.extensions
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _Stream(httpx.SyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Any:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


class _Network(httpcore.NetworkBackend):
    """Connects to what `public_addresses` lets through, and to nothing else."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        addresses = public_addresses(host, port, self._allowance.seconds_left())
        reason = "it has no address"
        for family, sockaddr in addresses[:MAX_ADDRESSES]:
            try:
                return _Connection(self._connected(family, sockaddr), self._allowance)
            except OSError as error:
                reason = error.strerror or "no answer"
        raise ToolError(f"no connection to {host}: {reason.lower()}")

    def _connected(self, family: int, sockaddr: Any) -> socket.socket:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(CONNECT_SECONDS, self._allowance.seconds_left()))
            connection.connect(sockaddr)  # an address, so that nothing is resolved again
        except BaseException:
            connection.close()
            raise
        return connection


class _Connection(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(self, connection: socket.socket, allowance: Allowance) -> None:
        self._socket = connection
        self._allowance = allowance

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._socket.settimeout(self._allowance.seconds_left())
        try:
            data = self._socket.recv(max_bytes)
        except OSError as error:
            self._lost(error)
        self._allowance.take(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        try:
            while buffer:
                self._socket.settimeout(self._allowance.seconds_left())
                buffer = buffer[self._socket.send(buffer) :]
        except OSError as error:
            self._lost(error)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._allowance.seconds_left())
            encrypted = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise ToolError(f"the server's certificate is not valid: {error.verify_message}") from error
        except (OSError, ValueError) as error:  # ValueError for a name that no certificate can have
            self.close()
            self._lost(error)
        return _Connection(encrypted, self._allowance)

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ARG002
        """Nothing: what httpcore asks for here matters to HTTP/2 and to idle connections alone."""
        return None

    def _lost(self, error: OSError | ValueError) -> Any:
        self._allowance.seconds_left()
        raise ToolError(f"the connection was lost: {_reason(error).lower()}") from error


def _reason(error: OSError | ValueError) -> str:
    """Why, in words: OpenSSL's own reason is a name in capitals, its message one for programmers."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
