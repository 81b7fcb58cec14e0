from ipaddress import ip_address

import pytest

from local.functions import function_environment
from upcall.errors import ToolError
from upcall.web.addresses import is_public, reachable_address

REFUSED = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "100.127.255.255",
    "127.0.0.1",
    "127.1.2.3",
    "168.63.129.16",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::8.8.8.8",
    "64:ff9b::8.8.8.8",
    "64:ff9b:1::10.0.0.1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:808:808::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
    "2a00:1450::5efe:10.0.0.1",
    "2a00:1450::200:5efe:8.8.8.8",
]

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2606:4700::1111",
    "2a00:1450:4001:80b::200e",
    "2620:fe::fe",
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_global_unicast_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_global_unicast_address_is_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "localhost",
        "localhost.",
        "LOCALHOST",
        "::1",
    ],
)
def test_the_address_decides_however_the_host_is_spelled(host: str) -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": ""}), pytest.raises(ToolError):
        reachable_address(host, 80)


@pytest.mark.parametrize("port", [22, 25, 8080, 65535])
def test_other_ports_are_refused(port: int) -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": ""}):
        with pytest.raises(ToolError, match=f"port {port} is not allowed"):
            reachable_address("8.8.8.8", port)


def test_a_host_that_the_profile_names_is_reached_on_that_port_alone() -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": "127.0.0.1:8080"}):
        assert reachable_address("127.0.0.1", 8080) == "127.0.0.1"
        with pytest.raises(ToolError):
            reachable_address("127.0.0.1", 80)
        with pytest.raises(ToolError):
            reachable_address("127.0.0.1", 8081)


def test_a_host_that_cannot_be_resolved_says_so() -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": ""}):
        with pytest.raises(ToolError, match="the host no-such-host.invalid cannot be found"):
            reachable_address("no-such-host.invalid", 443)


@pytest.mark.parametrize("host", ["x" * 300, "a..b", "\x00", "-"])
def test_a_host_that_is_no_host_is_not_found(host: str) -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": ""}), pytest.raises(ToolError, match="cannot be found"):
        reachable_address(host, 443)
