"""Which addresses a tool may connect to. The decision is on addresses, never on spellings.

A name is resolved once, every address that it has must be globally routable, and the connection goes
to one of the addresses that were checked, so that a second answer of the resolver changes nothing.
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

_REFUSED_NETWORKS: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network, RFC 791
        "10.0.0.0/8",  # private, RFC 1918
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; 100.100.100.200 is a cloud's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform address, public by its number
        "169.254.0.0/16",  # link-local, RFC 3927; 169.254.169.254 is most clouds' metadata
        "172.16.0.0/12",  # private, RFC 1918
        "192.0.0.0/24",  # IETF protocol assignments; 192.0.0.192 is a cloud's metadata
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
        "3ffe::/16",  # 6bone, given back, RFC 3701
        "3fff::/20",  # documentation, RFC 9637
    )
)
"""The IANA special-purpose address registries, whole, and what clouds have beyond them. No table of the
standard library is trusted with it: its own changes with the version of Python."""

_ISATAP: Final = 0x0000_5EFE
"""Third quarter of an IPv6 address whose last quarter is an IPv4 address, RFC 5214 …"""

_ISATAP_MASK: Final = 0xFCFF_FFFF
"""… whatever its universal and group bits are."""


SAM_LOCAL_HOST: Final = "host.docker.internal"
"""The machine that runs SAM local, as seen from its containers. The name does not resolve on AWS."""

_exempt_hosts: ContextVar[frozenset[str]] = ContextVar("exempt_hosts", default=frozenset())


@contextmanager
def exempt_hosts(hosts: Iterable[str]) -> Iterator[None]:
    """Let `host:port` pairs be reached although their addresses are not public; a port may be `*`.

    For the local stack and tests, whose servers listen on loopback. Nothing that is deployed calls this.
    """
    token = _exempt_hosts.set(frozenset(hosts))
    try:
        yield
    finally:
        _exempt_hosts.reset(token)


def public_addresses(host: str, port: int, seconds: float) -> list[Any]:
    """What to connect to for a host and port: the resolver's answers, each of them checked.

    Each is a family and the address that `socket.connect` takes. Raises ToolError if one of them must
    not be reached, and after so many seconds.
    """
    check_destination(host, port)
    found = [(family, sockaddr) for family, _, _, _, sockaddr in _resolved(host, port, seconds)]
    if not _is_exempt(host, port) and not all(is_public(sockaddr[0]) for _, sockaddr in found):
        raise ToolError(f"{host} is not a public address")
    return found


def check_authority(host: str, port: int | None, *, names_user: bool) -> None:
    """Raise ToolError for what a URL says where it should name a host, and at most a port."""
    if not host or port == 0:
        raise ToolError("the URL names no host")
    if names_user:
        raise ToolError("a URL must not hold a user name or a password")


def check_destination(host: str, port: int) -> None:
    """Raise ToolError for a host and port that must not be reached, whatever the resolver would answer."""
    if _is_exempt(host, port):
        return
    if port not in PORTS:
        raise ToolError(f"port {port} is not allowed, only 80 and 443 are")
    if _is_address(host) and not is_public(host):
        raise ToolError(f"{host} is not a public address")


def is_public(address: Address | str) -> bool:
    """Whether an address is globally routable unicast and, as IPv6, embeds no IPv4 address."""
    try:
        address = ipaddress.ip_address(address)
    except ValueError:  # such as an IPv4 address with a zone
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _GLOBAL_UNICAST_V6
        or address.scope_id is not None
        or int(address) >> 32 & _ISATAP_MASK == _ISATAP
    ):
        return False
    return not any(address in network for network in _REFUSED_NETWORKS)


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


def _resolved(host: str, port: int, seconds: float) -> list[Any]:
    try:
        return run_with_timeout(seconds, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError, ValueError):
        raise ToolError(f"the host {host} cannot be found") from None
    except TimedOut:
        raise ToolError(f"the host {host} could not be looked up in time") from None
