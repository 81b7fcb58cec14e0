"""A resolver and a network under the control of a test. No connection leaves the machine."""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest

LOOPBACK = "127.0.0.1"

Address = tuple[int, tuple[Any, ...]]
"""One result of a resolver: the family, and the argument of `connect`."""

_getaddrinfo = socket.getaddrinfo
_connect = socket.socket.connect

_is_faked: ContextVar[bool] = ContextVar("is_faked", default=False)
"""Whether this thread belongs to a test with a fake network. Threads of a local stack do not."""


def socket_address(address: str, port: int) -> Address:
    """A resolver's result for a host with this address."""
    if ":" in address:
        return socket.AF_INET6, (address, port, 0, 0)
    return socket.AF_INET, (address, port)


def resolve_numeric(host: str, port: int) -> list[Address]:
    """The system resolver's results for `localhost` and for an address in any spelling. Fails for names."""
    if host.rstrip(".").lower() == "localhost":
        return [socket_address(LOOPBACK, port)]
    results = _getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [(family, sockaddr) for family, _, _, _, sockaddr in results]


@dataclass
class FakeNetwork:
    """Resolves hosts with `resolve`, and refuses connections to addresses other than loopback.

    `resolved_hosts` and `attempted_connections` record what was looked up and connected to.
    """

    resolve: Callable[[str, int], list[Address]] = resolve_numeric
    allows_loopback: bool = False
    resolved_hosts: list[str] = field(default_factory=list)
    attempted_connections: list[tuple[Any, ...]] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Replace the resolver and the network for this test."""
        _is_faked.set(True)

        def getaddrinfo(host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
            if not _is_faked.get():
                return _getaddrinfo(host, port, *args, **kwargs)
            host.encode("idna")  # the real function does this first, and raises for some hosts
            self.resolved_hosts.append(host)
            return [(family, socket.SOCK_STREAM, 6, "", to) for family, to in self.resolve(host, port)]

        def connect(connection: socket.socket, to: Any) -> None:
            if connection.family == socket.AF_UNIX or not _is_faked.get():
                return _connect(connection, to)
            self.attempted_connections.append(to)
            if not self.allows_loopback or not ip_address(to[0]).is_loopback:
                raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
            return _connect(connection, to)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(socket.socket, "connect", connect)


class InternalServer:
    """A server on loopback that nobody may connect to. It only counts connections."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0), backlog=128)
        self._listener.setblocking(False)
        self._count = 0
        self.port: int = self._listener.getsockname()[1]
        self.host = f"{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> int:
        """The number of connections so far. The system has accepted them already; this reads its queue."""
        with suppress(BlockingIOError):
            while True:
                self._listener.accept()[0].close()
                self._count += 1
        return self._count

    def close(self) -> None:
        """Free the port."""
        self._listener.close()
