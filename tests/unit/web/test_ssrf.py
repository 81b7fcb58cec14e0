"""Which addresses are public: tables of special networks, known internal hosts, and their neighbours."""

import errno
import os
import re
import socket
import threading
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from support.fake_network import Address, FakeNetwork, socket_address

from local.config import ROOT
from upcall.domain.errors import ToolError
from upcall.web.ssrf import check_destination, exempt_hosts, is_public, resolve_public_addresses

SPECIAL_V4 = {
    "this network": "0.0.0.0/8",
    "private, 10/8": "10.0.0.0/8",
    "carrier-grade NAT": "100.64.0.0/10",
    "loopback": "127.0.0.0/8",
    "link-local": "169.254.0.0/16",
    "private, 172.16/12": "172.16.0.0/12",
    "protocol assignments": "192.0.0.0/24",
    "documentation 1": "192.0.2.0/24",
    "AS112, DNAME": "192.31.196.0/24",
    "AMT": "192.52.193.0/24",
    "6to4 relays": "192.88.99.0/24",
    "private, 192.168/16": "192.168.0.0/16",
    "AS112": "192.175.48.0/24",
    "benchmarking": "198.18.0.0/15",
    "documentation 2": "198.51.100.0/24",
    "documentation 3": "203.0.113.0/24",
    "multicast": "224.0.0.0/4",
    "reserved": "240.0.0.0/4",
}

INTERNAL_HOSTS_V4 = {
    "metadata of AWS, Azure, Google and others": "169.254.169.254",
    "DNS of AWS": "169.254.169.253",
    "time service of AWS": "169.254.169.123",
    "credentials of ECS": "169.254.170.2",
    "credentials of EKS": "169.254.170.23",
    "metadata of Scaleway": "169.254.42.42",
    "metadata of Tencent": "169.254.0.23",
    "metadata of Alibaba": "100.100.100.200",
    "metadata of Oracle": "192.0.0.192",
    "platform of Azure": "168.63.129.16",
    "loopback": "127.0.0.1",
    "systemd-resolved": "127.0.0.53",
    "unspecified": "0.0.0.0",
    "broadcast": "255.255.255.255",
    "a home router": "192.168.1.1",
    "a Docker bridge": "172.17.0.1",
    "NAT64 discovery": "192.0.0.170",
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

INTERNAL_HOSTS_V6 = """
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


def sample_addresses(network: IPv4Network | IPv6Network) -> list[str]:
    """Addresses of a network: the first and last two, and some in between."""
    size = network.num_addresses
    places = {0, 1, size // 4, size // 3, size // 2 - 1, size // 2, size * 3 // 4, size - 2, size - 1}
    return [str(network[place]) for place in sorted(places) if 0 <= place < size]


BLOCKED_V4 = [a for network in SPECIAL_V4.values() for a in sample_addresses(IPv4Network(network))]
BLOCKED_V4 += INTERNAL_HOSTS_V4.values()


def v6(number: int) -> str:
    return str(IPv6Address(number))


def six_to_four(v4: int) -> str:
    return v6(0x2002 << 112 | v4 << 80)


def teredo(v4: int) -> str:
    """Contains a server, a port, and the client's address with every bit inverted."""
    return v6(0x2001_0000 << 96 | 0x0808_0808 << 64 | 0x8000_63BF << 32 | v4 ^ 0xFFFF_FFFF)


EMBEDDINGS: dict[str, Callable[[int], str]] = {
    "IPv4-mapped": lambda v4: v6(0xFFFF << 32 | v4),
    "IPv4-compatible": v6,
    "SIIT": lambda v4: v6(0xFFFF << 48 | v4),
    "NAT64": lambda v4: v6(0x0064_FF9B << 96 | v4),
    "NAT64 with a local prefix": lambda v4: v6(0x0064_FF9B_0001 << 80 | v4),
    "NAT64 with a local prefix of 96 bits": lambda v4: v6(0x0064_FF9B_0001_ABCD << 64 | v4),
    "6to4": six_to_four,
    "6to4 with a host": lambda v4: v6(int(IPv6Address(six_to_four(v4))) | 1),
    "Teredo": teredo,
    "ISATAP, link-local": lambda v4: v6(0xFE80 << 112 | 0x5EFE << 32 | v4),
    "ISATAP, link-local, unique": lambda v4: v6(0xFE80 << 112 | 0x0200_5EFE << 32 | v4),
    "ISATAP, global": lambda v4: v6(0x2A00_1450_4001_080B << 64 | 0x5EFE << 32 | v4),
    "ISATAP, global, unique": lambda v4: v6(0x2A00_1450_4001_080B << 64 | 0x0200_5EFE << 32 | v4),
    "ISATAP, global, group bit": lambda v4: v6(0x2606_4700 << 96 | 0x0300_5EFE << 32 | v4),
}


def find_public(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if is_public(address)]


def find_not_public(addresses: Iterable[str]) -> list[str]:
    return [address for address in addresses if not is_public(address)]


def test_the_table_has_at_least_150_blocked_ipv4_addresses() -> None:
    assert len(set(BLOCKED_V4)) >= 150


@pytest.mark.parametrize("network", SPECIAL_V4.values(), ids=list(SPECIAL_V4))
def test_no_address_of_a_special_ipv4_network_is_public(network: str) -> None:
    assert find_public(sample_addresses(IPv4Network(network))) == []


def test_no_known_internal_ipv4_address_is_public() -> None:
    assert find_public(INTERNAL_HOSTS_V4.values()) == []


def test_ipv4_addresses_next_to_special_networks_are_public() -> None:
    assert find_not_public(NEIGHBOURS_V4) == []


def test_well_known_ipv4_addresses_are_public() -> None:
    assert find_not_public(PUBLIC_V4) == []


@pytest.mark.parametrize("embed", EMBEDDINGS.values(), ids=list(EMBEDDINGS))
def test_no_ipv6_address_that_embeds_an_ipv4_address_is_public(embed: Callable[[int], str]) -> None:
    """Not even a public one: which gateway unwraps it is not known."""
    table = BLOCKED_V4 + NEIGHBOURS_V4 + PUBLIC_V4

    assert find_public(embed(int(IPv4Address(address))) for address in table) == []


def test_an_ipv6_address_in_mixed_notation_is_treated_alike() -> None:
    addresses = [
        "::ffff:127.0.0.1",
        "::127.0.0.1",
        "::ffff:0:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "fe80::5efe:10.0.0.1",
    ]
    addresses += ["2a00:1450::200:5efe:8.8.8.8", "0:0:0:0:0:FFFF:7F00:1", "0000::1"]

    assert find_public(addresses) == []


@pytest.mark.parametrize("network", SPECIAL_V6)
def test_no_address_of_a_special_ipv6_network_is_public(network: str) -> None:
    assert find_public(sample_addresses(IPv6Network(network))) == []


def test_no_known_internal_ipv6_address_and_none_with_a_zone_is_public() -> None:
    assert find_public(INTERNAL_HOSTS_V6) == []


def test_ipv6_addresses_next_to_special_networks_are_public() -> None:
    assert find_not_public(NEIGHBOURS_V6) == []


def test_well_known_ipv6_addresses_are_public() -> None:
    assert find_not_public(PUBLIC_V6) == []


def test_an_invalid_address_is_not_public() -> None:
    texts = [
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

    assert find_public(texts) == []


def test_a_name_with_an_address_that_is_not_public_is_rejected(network: FakeNetwork) -> None:
    blocked = BLOCKED_V4 + INTERNAL_HOSTS_V6 + [embed(0x0808_0808) for embed in EMBEDDINGS.values()]
    accepted = []
    for address in blocked:
        network.resolve = lambda host, port, address=address: [socket_address(address, port)]  # type: ignore[misc]
        try:
            accepted.append(resolve_public_addresses("name.test", 443, 5))
        except ToolError as error:
            assert str(error) == "name.test is not a public address"

    assert accepted == []


@pytest.mark.parametrize("position", [0, 1, 2])
def test_one_address_that_is_not_public_among_others_rejects_the_name(
    network: FakeNetwork, position: int
) -> None:
    addresses = ["1.1.1.1", "2606:4700:4700::1111"]
    addresses.insert(position, "10.0.0.1")
    network.resolve = lambda host, port: [socket_address(address, port) for address in addresses]

    with pytest.raises(ToolError, match="^name.test is not a public address$"):
        resolve_public_addresses("name.test", 80, 5)


def test_all_addresses_of_a_public_name_are_returned_in_the_resolvers_order(network: FakeNetwork) -> None:
    addresses = [
        socket_address("2606:4700:4700::1111", 443),
        socket_address("1.1.1.1", 443),
        socket_address("8.8.8.8", 443),
    ]
    network.resolve = lambda host, port: addresses

    assert resolve_public_addresses("name.test", 443, 5) == addresses


@pytest.mark.parametrize("port", [0, 1, 22, 25, 79, 81, 442, 444, 8080, 8443, 65535, 65536, -1])
def test_a_port_other_than_80_and_443_is_rejected_without_a_lookup(network: FakeNetwork, port: int) -> None:
    with pytest.raises(ToolError, match=f"^port {port} is not allowed, only 80 and 443 are$"):
        resolve_public_addresses("8.8.8.8", port, 5)

    assert network.resolved_hosts == []


def test_an_exempt_host_is_reached_on_its_port_only() -> None:
    with exempt_hosts(["127.0.0.1:8080", "other.test:80"]):
        assert resolve_public_addresses("127.0.0.1", 8080, 5) == [socket_address("127.0.0.1", 8080)]
        with pytest.raises(ToolError, match="^127.0.0.1 is not a public address$"):
            resolve_public_addresses("127.0.0.1", 80, 5)
        with pytest.raises(ToolError, match="^port 8081 is not allowed"):
            resolve_public_addresses("127.0.0.1", 8081, 5)
        with pytest.raises(ToolError, match="^127.1 is not a public address$"):
            resolve_public_addresses("127.1", 80, 5)


def test_an_exempt_host_may_be_exempt_on_every_port() -> None:
    with exempt_hosts(["127.0.0.1:*"]):
        for port in (1, 80, 8080):
            check_destination("127.0.0.1", port)


def test_an_exemption_ends_with_its_block() -> None:
    with exempt_hosts(["127.0.0.1:80"]):
        check_destination("127.0.0.1", 80)

    with pytest.raises(ToolError, match="^127.0.0.1 is not a public address$"):
        check_destination("127.0.0.1", 80)


def test_no_deployed_code_calls_exempt_hosts() -> None:
    sources = {path: path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py")}
    definition = ROOT / "src" / "upcall" / "web" / "ssrf.py"

    assert [path for path, source in sources.items() if "exempt_hosts" in source] == [definition]
    assert re.findall(r".*\bexempt_hosts\(", sources[definition]) == ["def exempt_hosts("]


def test_no_deployed_function_claims_to_be_on_sam_local() -> None:
    assert "AWS_SAM_LOCAL" not in (ROOT / "template.yaml").read_text("utf-8")


def test_on_sam_local_only_the_docker_host_is_exempt(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There, functions run in containers, and the servers that they need run on the host."""
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    network.resolve = lambda host, port: [socket_address("172.17.0.1", port)]

    docker_host = resolve_public_addresses("host.docker.internal", 8080, 5)

    assert docker_host == [socket_address("172.17.0.1", 8080)]
    for host in ("localhost", "sub.host.docker.internal", "host.docker.internal.", "gateway.docker.internal"):
        with pytest.raises(ToolError, match="is not a public address$"):
            resolve_public_addresses(host, 80, 5)
    for address in ("127.0.0.1", "172.17.0.1", "169.254.169.254", "::1"):
        with pytest.raises(ToolError, match="is not a public address$"):
            check_destination(address, 80)


@pytest.mark.parametrize("value", ["", "false", "1"])
def test_outside_of_sam_local_the_docker_host_is_not_exempt(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("AWS_SAM_LOCAL", value)
    network.resolve = lambda host, port: [socket_address("172.17.0.1", port)]

    with pytest.raises(ToolError, match="^host.docker.internal is not a public address$"):
        resolve_public_addresses("host.docker.internal", 80, 5)


def test_an_unknown_host_cannot_be_found() -> None:
    with pytest.raises(ToolError, match="^the host no-such-host.invalid cannot be found$"):
        resolve_public_addresses("no-such-host.invalid", 443, 5)


@pytest.mark.parametrize("code", [errno.EIO, socket.EAI_NONAME, socket.EAI_AGAIN, socket.EAI_FAIL])
def test_a_host_cannot_be_found_if_the_resolver_fails(network: FakeNetwork, code: int) -> None:
    def fail(host: str, port: int) -> list[Address]:
        raise OSError(code, os.strerror(errno.EIO)) if code > 0 else socket.gaierror(code, "no")

    network.resolve = fail

    with pytest.raises(ToolError, match="^the host name.test cannot be found$"):
        resolve_public_addresses("name.test", 443, 5)


def test_a_lookup_times_out(network: FakeNetwork) -> None:
    test_is_over = threading.Event()

    def hang(host: str, port: int) -> list[Address]:
        test_is_over.wait(10)
        return []

    network.resolve = hang
    try:
        with pytest.raises(ToolError, match="^the lookup of the host name.test timed out$"):
            resolve_public_addresses("name.test", 443, 0.01)
    finally:
        test_is_over.set()
