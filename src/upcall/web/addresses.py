"""Which addresses a tool may connect to. The decision is on addresses, never on spellings.

A name is resolved, every address that it has must be globally routable, and the connection goes to
one of the addresses that were checked, so that a second answer of the resolver changes nothing.
"""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Final

from upcall import settings
from upcall.errors import ToolError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PORTS: Final = frozenset({80, 443})

_GLOBAL_UNICAST_V6: Final = ipaddress.IPv6Network("2000::/3")

_REFUSED_NETWORKS: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT, RFC 6598; 100.100.100.200 is a cloud's metadata
        "168.63.129.16/32",  # Azure's platform address, public by its number
        "192.0.0.0/24",
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "224.0.0.0/3",  # multicast and reserved
        "2001::/23",  # Teredo, ORCHID, benchmarking: IETF protocol assignments
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "3fff::/20",  # documentation, RFC 9637
    )
)
"""Beyond what `is_global` refuses; from the IANA special-purpose address registries."""

_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)
"""Third quarter of an IPv6 address whose last quarter is an IPv4 address, RFC 5214."""


def reachable_address(host: str, port: int) -> str:
    """The address to connect to for a host and port. Raises ToolError if it must not be reached."""
    if f"{host}:{port}" in settings.fetch_local_hosts():
        return next(iter(_resolved(host, port))).compressed
    if port not in PORTS:
        raise ToolError(f"port {port} is not allowed, only 80 and 443 are")
    addresses = list(_resolved(host, port))
    for address in addresses:
        if not is_public(address):
            raise ToolError(f"{host} is not a public address")
    return addresses[0].compressed


def is_public(address: Address) -> bool:
    """Whether an address is globally routable unicast and, as IPv6, embeds no IPv4 address."""
    if not address.is_global or address.is_multicast:
        return False
    if isinstance(address, ipaddress.IPv6Address) and (
        address not in _GLOBAL_UNICAST_V6 or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP
    ):
        return False
    return not any(address in network for network in _REFUSED_NETWORKS)


def _resolved(host: str, port: int) -> Iterator[Address]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ToolError(f"the host {host} cannot be found") from None
    for *_, sockaddr in found:
        yield ipaddress.ip_address(str(sockaddr[0]).partition("%")[0])
