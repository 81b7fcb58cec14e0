"""The world outside, down at the wire: servers that say any bytes, a resolver that says any addresses.

`World` stands in for the resolver and for every network but loopback, so that no test leaves the machine.
"""

import errno
import os
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest

HOST = "127.0.0.1"

Answer = tuple[int, tuple[Any, ...]]
"""One answer of a resolver: the family, and the address that `connect` takes."""

Serve = Callable[[socket.socket], None]

_getaddrinfo = socket.getaddrinfo
_connect = socket.socket.connect

_inside: ContextVar[bool] = ContextVar("inside", default=False)
"""Whether a thread belongs to a test with a world of its own; a cloud in the background does not."""


def at(address: str, port: int) -> Answer:
    """What a resolver says for a host that has this address."""
    if ":" in address:
        return socket.AF_INET6, (address, port, 0, 0)
    return socket.AF_INET, (address, port)


def numeric(host: str, port: int) -> list[Answer]:
    """What the system's resolver makes of a host that is an address in any of its spellings."""
    if host.rstrip(".").lower() == "localhost":
        return [at(HOST, port)]
    found = _getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [(family, sockaddr) for family, _, _, _, sockaddr in found]


@dataclass
class World:
    """What `resolve` says of names is so; addresses other than loopback cannot be reached from here.

    `asked` are the hosts that were looked up, `connected` the addresses that a connection was tried to.
    """

    resolve: Callable[[str, int], list[Answer]] = numeric
    asked: list[str] = field(default_factory=list)
    connected: list[tuple[Any, ...]] = field(default_factory=list)

    def replace(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Be the world of this test."""

        _inside.set(True)

        def getaddrinfo(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
            if not _inside.get():
                return _getaddrinfo(host, port, *more, **named)
            host.encode("idna")  # as the real one does first, which refuses some hosts by that
            self.asked.append(host)
            return [(family, socket.SOCK_STREAM, 6, "", to) for family, to in self.resolve(host, port)]

        def connect(connection: socket.socket, to: Any) -> None:
            if connection.family == socket.AF_UNIX or not _inside.get():
                return _connect(connection, to)
            self.connected.append(to)
            if not ip_address(to[0]).is_loopback:
                raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
            return _connect(connection, to)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(socket.socket, "connect", connect)


class Canary:
    """A port on loopback that nobody may connect to; it does nothing but count those who did."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self._listener.setblocking(False)
        self._count = 0
        self.port: int = self._listener.getsockname()[1]
        self.host = f"{HOST}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections there have been. The system made them; here they are only taken."""
        with suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                self._count += 1
        return self._count

    def close(self) -> None:
        """Free the port."""
        self._listener.close()


@dataclass
class RawServer:
    """Where a raw server listens, and the heads of the requests that it read."""

    port: int
    heads: list[bytes] = field(default_factory=list)

    @property
    def host(self) -> str:
        """As it stands in a URL, and in FETCH_LOCAL_HOSTS."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """Its front page."""
        return f"http://{self.host}/"


@contextmanager
def raw_server(serve: Serve, *, tls: ssl.SSLContext | None = None, reads: bool = True) -> Iterator[RawServer]:
    """A server that does to each connection what `serve` does, once it has read the request.

    With `reads` false, it does so at once, and not even TLS's handshake comes first.
    """
    listener = socket.create_server((HOST, 0), backlog=128)
    server = RawServer(listener.getsockname()[1])
    connections: list[socket.socket] = []

    def handle(connection: socket.socket) -> None:
        with suppress(OSError):  # the client has had enough
            if reads:
                connection = tls.wrap_socket(connection, server_side=True) if tls else connection
                connections.append(connection)
                server.heads.append(_head(connection))
            serve(connection)
        connection.close()

    def listen() -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # which ends the accept of the other thread
        listener.close()
        thread.join(1)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def _head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            break
        head += data
    return head


def says(*pieces: bytes) -> Serve:
    """Serve by sending these bytes, and closing the connection."""

    def serve(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return serve


def silent(connection: socket.socket) -> None:
    """Serve by waiting until the client goes away."""
    while connection.recv(65536):
        pass


def reset(connection: socket.socket) -> None:
    """Serve by a reset of the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def answer(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """A whole HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def redirect(location: str, status: str = "302 Found") -> bytes:
    """An answer that leads elsewhere."""
    return answer(b"", f"Location: {location}", status=status)
