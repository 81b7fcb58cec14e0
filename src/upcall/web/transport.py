"""HTTP connections to public addresses only, with a limit on the time and the bytes of a whole transfer.

The time-outs of an HTTP client apply to each read, so a server that sends one byte now and then holds the
client for ever; and a client does not count the bytes of headers and redirects. Here every wait ends at one
deadline, and every byte that is received counts.
"""

import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

import httpcore
import httpx

from upcall.domain.errors import ToolError
from upcall.web.ssrf import resolve_public_addresses

CONNECT_SECONDS = 5.0
"""For one address of several."""

MAX_ADDRESSES = 4


@dataclass
class TransferBudget:
    """The seconds and bytes that a transfer may take, redirects included.

    Its methods raise ToolError once the budget is used up.
    """

    seconds: float
    max_bytes: int

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.seconds
        self._bytes_left = self.max_bytes

    def seconds_left(self) -> float:
        """Seconds until the deadline."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ToolError(f"the server took longer than {self.seconds:g} seconds")
        return left

    def spend_bytes(self, count: int) -> None:
        """Count received bytes."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ToolError(f"the server sent more than {self.max_bytes:,} bytes")


@cache
def tls_context() -> ssl.SSLContext:
    """The TLS settings of all transports. Reading the certificate authorities takes 20 ms of a whole core."""
    return httpx.create_ssl_context()


class GuardedTransport(httpx.BaseTransport):
    """An httpx transport that connects to checked addresses only.

    The Host header, SNI and the certificate check use the name in the URL.
    """

    def __init__(self, budget: TransferBudget) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls_context(), network_backend=_NetworkBackend(budget)
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises ToolError, and httpcore's errors."""
        url = request.url
        response = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
            )
        )
        assert isinstance(response.stream, Iterable)  # noqa: S101  # the synchronous half of a union
        return httpx.Response(
            response.status,
            headers=response.headers,
            stream=_ResponseStream(response),
            extensions=response.extensions,
        )

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()


class _ResponseStream(httpx.SyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    def __iter__(self) -> Any:
        return self._response.iter_stream()

    def close(self) -> None:
        self._response.close()


class _NetworkBackend(httpcore.NetworkBackend):
    """Connects to addresses from `resolve_public_addresses`, and to no others."""

    def __init__(self, budget: TransferBudget) -> None:
        self._budget = budget

    def connect_tcp(self, host: str, port: int, *_: Any, **__: Any) -> httpcore.NetworkStream:
        addresses = resolve_public_addresses(host, port, self._budget.seconds_left())
        reason = "it has no address"
        for family, sockaddr in addresses[:MAX_ADDRESSES]:
            try:
                return _NetworkStream(self._connect(family, sockaddr), self._budget)
            except OSError as error:
                reason = error.strerror or "no response"
        raise ToolError(f"no connection to {host}: {reason.lower()}")

    def _connect(self, family: int, sockaddr: Any) -> socket.socket:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(min(CONNECT_SECONDS, self._budget.seconds_left()))
            connection.connect(sockaddr)  # an address, so that nothing is resolved again
        except BaseException:
            connection.close()
            raise
        return connection


class _NetworkStream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline."""

    def __init__(self, connection: socket.socket, budget: TransferBudget) -> None:
        self._socket = connection
        self._budget = budget

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        self._socket.settimeout(self._budget.seconds_left())
        try:
            data = self._socket.recv(max_bytes)
        except OSError as error:
            self._raise_connection_lost(error)
        self._budget.spend_bytes(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        try:
            while buffer:
                self._socket.settimeout(self._budget.seconds_left())
                buffer = buffer[self._socket.send(buffer) :]
        except OSError as error:
            self._raise_connection_lost(error)

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        try:
            self._socket.settimeout(self._budget.seconds_left())
            encrypted = ssl_context.wrap_socket(self._socket, server_hostname=server_hostname)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise ToolError(f"the server's certificate is not valid: {error.verify_message}") from error
        except (OSError, ValueError) as error:  # ValueError for a name that no certificate can have
            self.close()
            self._raise_connection_lost(error)
        return _NetworkStream(encrypted, self._budget)

    def close(self) -> None:
        self._socket.close()

    def get_extra_info(self, info: str) -> Any:  # noqa: ARG002
        """None: httpcore asks only for what matters to HTTP/2 and to idle connections."""
        return None

    def _raise_connection_lost(self, error: OSError | ValueError) -> NoReturn:
        self._budget.seconds_left()  # a time-out is reported as one
        raise ToolError(f"the connection was lost: {_reason(error).lower()}") from error


def _reason(error: OSError | ValueError) -> str:
    """A short reason. OpenSSL's `reason` is a name in capitals; its message is written for programmers."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ")
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
