"""Protection against server-side request forgery: which addresses may be connected to.

A host is judged by its addresses, not by its spelling. Its name is resolved once, each of its addresses must
be globally routable, and the connection goes to one of the checked addresses. A resolver that answers
differently the next time (DNS rebinding) therefore changes nothing.
"""

import ipaddress
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from upcall import config
from upcall.domain.errors import ToolError
from upcall.timeout import TimedOut, run_with_timeout

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS: Final = frozenset({80, 443})

_GLOBAL_UNICAST_V6: Final = ipaddress.IPv6Network("2000::/3")

_BLOCKED_NETWORKS: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; 100.100.100.200 is Alibaba Cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform services; in a public range
        "169.254.0.0/16",  # link-local, RFC 3927; 169.254.169.254 is most clouds' metadata
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments; 192.0.0.192 is Oracle Cloud's metadata
        "192.0.2.0/24",  # documentation, RFC 5737
        "192.31.196.0/24",  # AS112, RFC 7535
        "192.52.193.0/24",  # AMT, RFC 7450
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "192.168.0.0/16",  # private, RFC 1918
        "192.175.48.0/24",  # AS112, RFC 7534
        "198.18.0.0/15",  # benchmarking, RFC 2544
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/3",  # multicast and reserved
        "2001::/23",  # Teredo, ORCHID, benchmarking: IETF protocol assignments
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, RFC 3056
        "2620:4f:8000::/48",  # AS112
        "3ffe::/16",  # 6bone, returned to IANA, RFC 3701
        "3fff::/20",  # documentation, RFC 9637
    )
)
"""All networks of the IANA special-purpose address registries, and special addresses of cloud providers.

The standard library's table is not used, because it differs between versions of Python.
"""

_ISATAP: Final = 0x0000_5EFE
"""The third 32 bits of an IPv6 address whose last 32 bits are an IPv4 address, RFC 5214."""

_ISATAP_MASK: Final = 0xFCFF_FFFF
"""Ignores the universal and group bits."""

SAM_LOCAL_HOST: Final = "host.docker.internal"
"""The machine that runs SAM local, as seen from its containers. The name does not resolve on AWS."""

_exempt_hosts: ContextVar[frozenset[str]] = ContextVar("exempt_hosts", default=frozenset())


@contextmanager
def exempt_hosts(hosts: Iterable[str]) -> Iterator[None]:
    """Allow connections to `host:port` pairs although their addresses are not public; a port may be `*`.

    For the local stack and tests, whose servers listen on loopback. No deployed code calls this.
    """
    token = _exempt_hosts.set(frozenset(hosts))
    try:
        yield
    finally:
        _exempt_hosts.reset(token)


def resolve_public_addresses(host: str, port: int, timeout_seconds: float) -> list[Any]:
    """The addresses of a host and port, in the resolver's order, each as (family, argument of `connect`).

    Raises ToolError if one of them is not public, if the lookup fails, and if it takes too long.
    """
    check_destination(host, port)
    addresses = [(family, sockaddr) for family, _, _, _, sockaddr in _resolve(host, port, timeout_seconds)]
    if not _is_exempt(host, port) and not all(is_public(sockaddr[0]) for _, sockaddr in addresses):
        raise ToolError(f"{host} is not a public address")
    return addresses


def check_authority(host: str, port: int | None, *, has_credentials: bool) -> None:
    """Raise ToolError for a URL without a host, with port 0, or with a user name or password."""
    if not host:
        raise ToolError("the URL has no host")
    if port == 0:
        raise ToolError(_port_error(port))
    if has_credentials:
        raise ToolError("the URL must not contain a user name or a password")


def check_destination(host: str, port: int) -> None:
    """Raise ToolError for a host and port that must not be connected to, whatever the host resolves to."""
    if _is_exempt(host, port):
        return
    if port not in PORTS:
        raise ToolError(_port_error(port))
    if _is_address(host) and not is_public(host):
        raise ToolError(f"{host} is not a public address")


def is_public(address: Address | str) -> bool:
    """Whether an address is globally routable unicast and, as IPv6, embeds no IPv4 address."""
    try:
        address = ipaddress.ip_address(address)
    except ValueError:  # for example an IPv4 address with a zone
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _GLOBAL_UNICAST_V6
        or address.scope_id is not None
        or int(address) >> 32 & _ISATAP_MASK == _ISATAP
    ):
        return False
    return not any(address in network for network in _BLOCKED_NETWORKS)


def _port_error(port: int) -> str:
    return f"port {port} is not allowed, only 80 and 443 are"


def _is_exempt(host: str, port: int) -> bool:
    if config.on_sam_local() and host == SAM_LOCAL_HOST:
        return True
    return not _exempt_hosts.get().isdisjoint({f"{host}:{port}", f"{host}:*"})


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _resolve(host: str, port: int, timeout_seconds: float) -> list[Any]:
    try:
        return run_with_timeout(
            timeout_seconds, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        )
    except (OSError, UnicodeError, ValueError):
        raise ToolError(f"the host {host} cannot be found") from None
    except TimedOut:
        raise ToolError(f"the lookup of the host {host} timed out") from None
