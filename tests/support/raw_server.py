"""A server on loopback that sends any bytes, valid HTTP or not, at any time."""

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

HOST = "127.0.0.1"

Serve = Callable[[socket.socket], None]
"""What a raw server does with a connection."""


@dataclass
class RawServer:
    """The port of a raw server, and the heads of the requests that it has read."""

    port: int
    request_heads: list[bytes] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Host and port, as in a URL and in `exempt_hosts`."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """The URL of its root."""
        return f"http://{self.host}/"


@contextmanager
def raw_server(
    serve: Serve, *, tls: ssl.SSLContext | None = None, reads_request: bool = True
) -> Iterator[RawServer]:
    """Call `serve` with each connection, after the TLS handshake and after reading the request.

    If `reads_request` is false, it is called at once, without a handshake.
    """
    listener = socket.create_server((HOST, 0), backlog=128)
    server = RawServer(listener.getsockname()[1])
    connections: list[socket.socket] = []

    def handle(connection: socket.socket) -> None:
        with suppress(OSError):  # the client has closed the connection
            if reads_request:
                connection = tls.wrap_socket(connection, server_side=True) if tls else connection
                connections.append(connection)
                server.request_heads.append(_read_head(connection))
            serve(connection)
        connection.close()

    def accept_connections() -> None:
        with suppress(OSError):  # the listener was closed
            while True:
                connection, _ = listener.accept()
                connections.append(connection)
                threading.Thread(target=handle, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept_connections, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # ends `accept` in the other thread
        listener.close()
        thread.join(1)
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


def _read_head(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        data = connection.recv(65536)
        if not data:
            break
        head += data
    return head


def respond_with(*chunks: bytes) -> Serve:
    """Send these bytes, then close the connection."""

    def serve(connection: socket.socket) -> None:
        for chunk in chunks:
            connection.sendall(chunk)

    return serve


def never_respond(connection: socket.socket) -> None:
    """Wait until the client closes the connection."""
    while connection.recv(65536):
        pass


def reset_connection(connection: socket.socket) -> None:
    """Reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def http_response(body: bytes = b"", *headers: str, status: str = "200 OK") -> bytes:
    """The bytes of an HTTP response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def http_redirect(location: str, status: str = "302 Found") -> bytes:
    """The bytes of a redirect."""
    return http_response(b"", f"Location: {location}", status=status)
