"""Which addresses count as public: tables of what must be refused, and of its neighbours, which must not."""

import errno
import os
import socket
import threading
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from support.raw_network import (
    Answer,
    Canary,
    World,
    at,
)

from local.lambda_runtime import function_environment
from upcall.domain.errors import ToolError
from upcall.web.ssrf import is_public, public_addresses

SPECIAL_V4 = {
    "this network": "0.0.0.0/8",
    "private, large": "10.0.0.0/8",
    "carrier-grade NAT": "100.64.0.0/10",
    "loopback": "127.0.0.0/8",
    "link-local": "169.254.0.0/16",
    "private, middle": "172.16.0.0/12",
    "protocol assignments": "192.0.0.0/24",
    "documentation 1": "192.0.2.0/24",
    "AS112 by DNAME": "192.31.196.0/24",
    "multicast tunnels": "192.52.193.0/24",
    "6to4 relays": "192.88.99.0/24",
    "private, small": "192.168.0.0/16",
    "AS112": "192.175.48.0/24",
    "benchmarks": "198.18.0.0/15",
    "documentation 2": "198.51.100.0/24",
    "documentation 3": "203.0.113.0/24",
    "multicast": "224.0.0.0/4",
    "reserved": "240.0.0.0/4",
}

INFAMOUS_V4 = {
    "metadata of AWS, Azure, Google and more": "169.254.169.254",
    "name server of AWS": "169.254.169.253",
    "clock of AWS": "169.254.169.123",
    "credentials of ECS": "169.254.170.2",
    "credentials of EKS": "169.254.170.23",
    "metadata of Scaleway": "169.254.42.42",
    "metadata of Tencent": "169.254.0.23",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of Oracle": "192.0.0.192",
    "platform of Azure": "168.63.129.16",
    "this machine": "127.0.0.1",
    "name server of many a Linux": "127.0.0.53",
    "any machine": "0.0.0.0",
    "every machine": "255.255.255.255",
    "a router at home": "192.168.1.1",
    "a machine in Docker": "172.17.0.1",
    "NAT64's own": "192.0.0.170",
    "mDNS": "224.0.0.251",
    "SSDP": "239.255.255.250",
}

NEIGHBOURS_V4 = """
    1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0
    168.63.129.15 168.63.129.17 169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0
    191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 192.31.195.255 192.31.197.0
    192.52.192.255 192.52.194.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0
    192.175.47.255 192.175.49.0 198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0
    203.0.112.255 203.0.114.0 223.255.255.255
""".split()

PUBLIC_V4 = """
    1.1.1.1 8.8.8.8 9.9.9.9 23.185.0.2 52.94.236.248 93.184.216.34 104.16.132.229
    140.82.121.4 151.101.1.140 185.15.59.224 199.232.1.1 208.67.222.222
""".split()

SPECIAL_V6 = """
    ::/128 ::1/128 ::/96 ::ffff:0:0/96 ::ffff:0:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64
    2001::/32 2001:1::1/128 2001:1::2/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28
    2001:30::/28 2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3ffe::/16 3fff::/20 5f00::/16
    fc00::/7 fc00::/8 fd00::/8 fe80::/10 fec0::/10 ff00::/8 ff02::/16 ff0e::/16
    ::/3 4000::/3 6000::/3 8000::/1 e000::/4 f000::/5 f800::/6 fe00::/9
""".split()

INFAMOUS_V6 = """
    :: ::1 fd00:ec2::254 fd00:ec2::253 fd00:ec2::23 fd20:ce::254 fd00:c1::a9fe:a9fe fe80::1 fe80::a9fe:a9fe
    ff02::1 ff02::2 ff05::1:3 100::1 2001:db8::1 3fff::1 5f00::1 fec0::1 4000:: 8000:: c000::1
    fe80::1%eth0 fe80::1%1 2606:4700:4700::1111%eth0 2606:4700:4700::1111%1 ::1%lo
""".split()

NEIGHBOURS_V6 = """
    2000:: 2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2001:200:: 2001:db7:ffff:ffff:ffff:ffff:ffff:ffff 2001:db9::
    2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff 2003:: 2620:4f:7fff:ffff:ffff:ffff:ffff:ffff 2620:4f:8001::
    3ffd:ffff:ffff:ffff:ffff:ffff:ffff:ffff 3fff:1000:: 3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff
    2a00:1450::5eff:808:808 2a00:1450::5efd:808:808 2a00:1450::400:5efe:808:808 2a00:1450:0:5efe:808:808::
""".split()

PUBLIC_V6 = """
    2001:4860:4860::8888 2606:4700:4700::1111 2620:fe::fe 2a00:1450:4001:80b::200e 2600:9000:2000::1
    2a02:2e0:3fe:1001:302:: 2400:cb00:2048:1::6814:155 2c0f:fb50:4003::8a 2a03:2880:f12f:83:face:b00c:0:25de
""".split()


def spread(network: IPv4Network | IPv6Network) -> list[str]:
    """Addresses of a network: its first and last two, and some from within."""
    size = network.num_addresses
    places = {0, 1, size // 4, size // 3, size // 2 - 1, size // 2, size * 3 // 4, size - 2, size - 1}
    return [str(network[place]) for place in sorted(places) if 0 <= place < size]


REFUSED_V4 = [a for network in SPECIAL_V4.values() for a in spread(IPv4Network(network))]
REFUSED_V4 += INFAMOUS_V4.values()


def v6(number: int) -> str:
    return str(IPv6Address(number))


def six_to_four(v4: int) -> str:
    return v6(0x2002 << 112 | v4 << 80)


def teredo(v4: int) -> str:
    """The client's address stands in it with each bit turned over; a server and a port come before."""
    return v6(0x2001_0000 << 96 | 0x0808_0808 << 64 | 0x8000_63BF << 32 | v4 ^ 0xFFFF_FFFF)


EMBEDDINGS: dict[str, Callable[[int], str]] = {
    "mapped": lambda v4: v6(0xFFFF << 32 | v4),
    "compatible": v6,
    "translated by SIIT": lambda v4: v6(0xFFFF << 48 | v4),
    "NAT64": lambda v4: v6(0x0064_FF9B << 96 | v4),
    "NAT64 of a site": lambda v4: v6(0x0064_FF9B_0001 << 80 | v4),
    "NAT64 of a site, deeper": lambda v4: v6(0x0064_FF9B_0001_ABCD << 64 | v4),
    "6to4": six_to_four,
    "6to4, with a host": lambda v4: v6(int(IPv6Address(six_to_four(v4))) | 1),
    "Teredo": teredo,
    "ISATAP, link-local": lambda v4: v6(0xFE80 << 112 | 0x5EFE << 32 | v4),
    "ISATAP, link-local, unique": lambda v4: v6(0xFE80 << 112 | 0x0200_5EFE << 32 | v4),
    "ISATAP, global": lambda v4: v6(0x2A00_1450_4001_080B << 64 | 0x5EFE << 32 | v4),
    "ISATAP, global, unique": lambda v4: v6(0x2A00_1450_4001_080B << 64 | 0x0200_5EFE << 32 | v4),
    "ISATAP, global, of a group": lambda v4: v6(0x2606_4700 << 96 | 0x0300_5EFE << 32 | v4),
}


def let_through(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if is_public(address)]


def held_back(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if not is_public(address)]


def test_the_table_of_refused_ipv4_addresses_is_a_long_one() -> None:
    assert len(set(REFUSED_V4)) >= 150


@pytest.mark.parametrize("network", SPECIAL_V4.values(), ids=list(SPECIAL_V4))
def test_no_address_of_a_special_ipv4_network_is_public(network: str) -> None:
    assert let_through(spread(IPv4Network(network))) == []


def test_no_infamous_ipv4_address_is_public() -> None:
    assert let_through(INFAMOUS_V4.values()) == []


def test_ipv4_addresses_next_to_special_networks_are_public() -> None:
    assert held_back(NEIGHBOURS_V4) == []


def test_well_known_ipv4_addresses_are_public() -> None:
    assert held_back(PUBLIC_V4) == []


@pytest.mark.parametrize("embed", EMBEDDINGS.values(), ids=list(EMBEDDINGS))
def test_no_ipv6_address_that_embeds_an_ipv4_address_is_public(embed: Callable[[int], str]) -> None:
    """Not even a public one: whoever unwraps it, and to where, is not known here."""
    table = REFUSED_V4 + NEIGHBOURS_V4 + PUBLIC_V4

    assert let_through(embed(int(IPv4Address(address))) for address in table) == []


def test_an_ipv6_address_written_with_an_ipv4_address_is_the_same_address() -> None:
    spelled = [
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "fe80::5efe:10.0.0.1",
    ]
    spelled += ["2a00:1450::200:5efe:8.8.8.8", "0:0:0:0:0:FFFF:7F00:1", "0000::1"]

    assert let_through(spelled) == []


@pytest.mark.parametrize("network", SPECIAL_V6)
def test_no_address_of_a_special_ipv6_network_is_public(network: str) -> None:
    assert let_through(spread(IPv6Network(network))) == []


def test_no_infamous_ipv6_address_and_none_with_a_zone_is_public() -> None:
    assert let_through(INFAMOUS_V6) == []


def test_ipv6_addresses_next_to_special_networks_are_public() -> None:
    assert held_back(NEIGHBOURS_V6) == []


def test_well_known_ipv6_addresses_are_public() -> None:
    assert held_back(PUBLIC_V6) == []


def test_what_is_no_address_is_not_public() -> None:
    words = [
        "",
        " ",
        "example.com",
        "127.1",
        "010.0.0.1",
        "8.8.8.8%1",
        "8.8.8.8 ",
        "[::1]",
        "1.1.1.1.1",
        "8.8.8",
    ]

    assert let_through(words) == []


def test_a_name_is_refused_for_each_address_that_is_not_public(world: World) -> None:
    refused = REFUSED_V4 + INFAMOUS_V6 + [embed(0x0808_0808) for embed in EMBEDDINGS.values()]
    through = []
    for address in refused:
        world.resolve = lambda host, port, address=address: [at(address, port)]  # type: ignore[misc]
        try:
            through.append(public_addresses("name.test", 443, 5))
        except ToolError as error:
            assert str(error) == "name.test is not a public address"

    assert through == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_address_that_is_not_public_among_others_refuses_the_name(world: World, place: int) -> None:
    addresses = ["1.1.1.1", "2606:4700:4700::1111"]
    addresses.insert(place, "10.0.0.1")
    world.resolve = lambda host, port: [at(address, port) for address in addresses]

    with pytest.raises(ToolError, match="^name.test is not a public address$"):
        public_addresses("name.test", 80, 5)


def test_all_addresses_of_a_public_name_are_given_in_the_resolver_s_order(world: World) -> None:
    found = [at("2606:4700:4700::1111", 443), at("1.1.1.1", 443), at("8.8.8.8", 443)]
    world.resolve = lambda host, port: found

    assert public_addresses("name.test", 443, 5) == found


@pytest.mark.parametrize("port", [0, 1, 22, 25, 79, 81, 442, 444, 8080, 8443, 65535, 65536, -1])
def test_a_port_other_than_80_and_443_is_refused_without_a_look_at_the_name(world: World, port: int) -> None:
    with pytest.raises(ToolError, match=f"^port {port} is not allowed, only 80 and 443 are$"):
        public_addresses("8.8.8.8", port, 5)

    assert world.asked == []


def test_a_host_that_the_environment_names_is_reached_on_that_port_alone() -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": "127.0.0.1:8080, other.test:80"}):
        assert public_addresses("127.0.0.1", 8080, 5) == [at("127.0.0.1", 8080)]
        with pytest.raises(ToolError, match="^127.0.0.1 is not a public address$"):
            public_addresses("127.0.0.1", 80, 5)
        with pytest.raises(ToolError, match="^port 8081 is not allowed"):
            public_addresses("127.0.0.1", 8081, 5)
        with pytest.raises(ToolError, match="^127.1 is not a public address$"):
            public_addresses("127.1", 80, 5)


def test_a_host_without_an_address_says_so() -> None:
    with pytest.raises(ToolError, match="^the host no-such-host.invalid cannot be found$"):
        public_addresses("no-such-host.invalid", 443, 5)


@pytest.mark.parametrize("host", ["x" * 64, "x" * 4000, "a..b", ".a", "..", "a\x00b", ""])
def test_a_host_that_can_have_no_address_is_not_found(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    """By the system's own resolver, which says no to some by other errors than to names it does not know."""
    monkeypatch.undo()

    with pytest.raises(ToolError, match=r"cannot be found$|not a public address$"):
        public_addresses(host, 443, 5)


@pytest.mark.parametrize("code", [errno.EIO, socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL])
def test_a_resolver_that_fails_is_a_host_that_cannot_be_found(world: World, code: int) -> None:
    def fail(host: str, port: int) -> list[Answer]:
        raise OSError(code, os.strerror(errno.EIO)) if code > 0 else socket.gaierror(code, "no")

    world.resolve = fail

    with pytest.raises(ToolError, match="^the host name.test cannot be found$"):
        public_addresses("name.test", 443, 5)


def test_a_resolver_that_does_not_answer_is_not_waited_for(world: World) -> None:
    end = threading.Event()

    def hang(host: str, port: int) -> list[Answer]:
        end.wait(10)
        return []

    world.resolve = hang
    try:
        with pytest.raises(ToolError, match="^the host name.test could not be looked up in time$"):
            public_addresses("name.test", 443, 0.2)
    finally:
        end.set()


def test_the_canary_of_these_tests_sings(canary: Canary) -> None:
    assert canary.connections == 0
    for _ in range(3):
        socket.create_connection(("127.0.0.1", canary.port)).close()

    assert canary.connections == 3
