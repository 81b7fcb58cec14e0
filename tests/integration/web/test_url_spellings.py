"""Spellings of internal hosts that an attacker may try. None leads to a connection to a server on loopback.

In the URLs, `{port}` stands for that server's port. The tests use three resolvers: one for numeric hosts, one
that resolves every host to the server, and some that change their results.
"""

import random
import socket

import pytest
from support.fake_network import Address, FakeNetwork, InternalServer, socket_address
from support.raw_server import http_response, raw_server, respond_with

from upcall.domain.errors import ToolError
from upcall.web.download import download
from upcall.web.ssrf import exempt_hosts, is_public

NUMERIC_HOSTS = """
    127.0.0.1 127.1 127.0.1 127.255.255.254 0x7f.1 0x7f.0.0.1 0x7F.0x0.0x0.0x1 0x7f000001 0X7F000001
    0177.1 0177.0.0.1 0177.0.0.01 00000177.0.0.1 017700000001 2130706433 127.0x1 0x7f.0.1
    127.00.0.01 127.0.0.1. 127.1. 2130706433. 0 0.0 0x0 00 0.0.0.0 0.0.0.0. 000000000000 localhost LOCALHOST
    LocalHost localhost. [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:7F00:0001]
    [::127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [::1%251] [::1%lo] [fe80::1%25eth0] [fe80::1%lo]
    169.254.169.254 0xa9fea9fe 2852039166 0251.0376.0251.0376 169.254.43518 0xa9.254.0xa9fe [fd00:ec2::254]
    10.1 0xa000001 012.1 192.168.257 0xc0.0xa8.0x1.1 172.1048577 100.6579400 198.1179648 127.0.0.1:80 127.1:443
    127.0.0.1: 127.0.0.1:080 127.0.0.1:00000000000080
""".split()

OTHER_SPELLINGS = [
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "127。1",
    "１２７.０.０.１",
    "①②⑦.⓪.⓪.①",
    "⑴⑵⑺.0.0.1",
    "⒈27.0.0.1",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "١٢٧.٠.٠.١",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌｏｃａｌｈｏｓｔ",
    "loca\u017fhost",
    "LOCALHO\u017fT",
    "local\u00adhost",
    "local\u200bhost",
    "\u2060localhost",
    "127.0.0.1\u3000",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "%6c%6f%63alhost",
    "127.0.0.1%00",
    "127.0.0.1%00.example.com",
    "127.0.0.1%20",
    "127.0.0.1%0d%0aHost:",
    "127.0.0.1%2f",
    "127.0.0.1%23",
    "127.0.0.1%40example.com",
    "%5b::1%5d",
    "[::1]example.com",
    "example.com[::1]",
    "[::1",
    "::1]",
    "::1",
    "[127.0.0.1]",
    "[[::1]]",
    "[v1.127]",
    "[]",
    "127.0.0.1..",
    ".127.0.0.1",
    "127..0.1",
    "127.0.0.1,example.com",
    "127.0.0.1;example.com",
    "127.0.0.1&example.com",
    "0x7g.1",
    "0x",
    "256.256.256.256",
    "127.0.0.1.1",
    "-1",
    "4294967296",
    "99999999999999999999",
    "xn--127-0",
    "xn--0",
    "xn--",
    "xn--a.b",
    "*",
    "..",
    ".",
    "_",
    "a" * 64 + ".com",
    "a." * 130 + "com",
    "a" * 4000,
]

AROUND_THE_HOST = """
    http://example.com@127.0.0.1:{port}/ http://example.com:80@127.0.0.1:{port}/ http://user:pw@127.0.0.1/
    http://@127.0.0.1:{port}/ http://:@127.0.0.1:{port}/ http://@@127.0.0.1:{port}/ http://a@b@127.0.0.1/
    http://127.0.0.1:{port}@127.0.0.1:{port}/ http://%40127.0.0.1:{port}/ http://:{port}@127.0.0.1/
    http://127.0.0.1:{port}#@example.com/ http://127.0.0.1:{port}/#@example.com http://127.0.0.1:{port}?@example.com/
    http://127.0.0.1:{port}#.example.com http://127.0.0.1:{port}/@example.com http://127.0.0.1:{port};@example.com/
    http://example.com\\@127.0.0.1:{port}/ http://127.0.0.1:{port}\\@example.com/ http:\\\\127.0.0.1:{port}\\
    http:/\\127.0.0.1:{port}/ \\\\127.0.0.1:{port}\\ http://127.0.0.1\\.example.com/
    http:/127.0.0.1:{port}/ http:127.0.0.1:{port}/ http:///127.0.0.1:{port}/ http:////127.0.0.1:{port}/
    http:/ http: http:// http://? http://# http:///// http://:{port}/ http://:/ http://@/ http://:@/
    //127.0.0.1:{port}/ ///127.0.0.1:{port}/ /127.0.0.1:{port}/ 127.0.0.1:{port} 127.0.0.1:{port}/ localhost:{port}
    127.0.0.1 localhost example.com ?x #x / . ..
    http://127.0.0.1:{port} http://127.1:{port}/ http://0x7f.1:{port}/ http://2130706433:{port}/ http://0:{port}/
    http://localhost:{port}/ http://localhost.:{port}/ http://LOCALHOST:{port}/ HTTP://127.0.0.1:{port}/
    hTtPs://127.0.0.1:{port}/ http://[::1]:{port}/ http://[::ffff:127.0.0.1]:{port}/ http://[::]:{port}/
    http://[::1]{port}/ http://127.0.0.1:0{port}/ http://127.0.0.1:0/ http://127.0.0.1:65536/ http://127.0.0.1:-1/
    http://127.0.0.1:+{port}/ http://127.0.0.1:99999999999/ http://127.0.0.1:{port}{port}/ http://127.0.0.1:x/
    http://127.0.0.1:8_0/ http://127.0.0.1:0x50/ http://127.0.0.1:80:{port}/ http://127.0.0.1:{port}:80/
    http://example.com:0/ http://example.com:65536/ http://example.com:-80/ http://example.com:{port}/
    http://example.com:22/ http://example.com:1e2/ http://example.com:８０８０/ https://example.com:8443/
    ftp://127.0.0.1:{port}/ file:///etc/passwd file://127.0.0.1/etc/passwd gopher://127.0.0.1:{port}/_GET
    dict://127.0.0.1:{port}/ ldap://127.0.0.1:{port}/ ws://127.0.0.1:{port}/ wss://127.0.0.1:{port}/ data:text/html,x
    javascript:alert(1) mailto:a@127.0.0.1 jar:http://127.0.0.1:{port}!/ view-source:http://127.0.0.1:{port}/
    unix:/var/run/docker.sock http+unix://%2fvar%2frun%2fdocker.sock/ blob:http://127.0.0.1:{port}/x about:blank
    url:http://127.0.0.1:{port}/ http2://127.0.0.1:{port}/ httpx://127.0.0.1:{port}/ h:ttp://127.0.0.1:{port}/
    http.//127.0.0.1:{port}/ ://127.0.0.1:{port}/ :http://127.0.0.1:{port}/ http;//127.0.0.1:{port}/
""".split()

WITH_WHITE_SPACE = [
    "",
    " ",
    "http://127.0.0.1 :{port}/",
    "http://127.0.0.1: {port}/",
    "http:// 127.0.0.1:{port}/",
    "http ://127.0.0.1:{port}/",
    "ht\ntp://127.0.0.1:{port}/",
    "http://127.0.\t0.1:{port}/",
    "http://example.com\n@127.0.0.1:{port}/",
    "http://example.com\r\nHost: x\r\n\r\n@127.0.0.1:{port}/",
    "http://example.com/\r\nX: y",
    "http://example.com/\x00",
    "http://example.com\x00.test/",
    "http://127.0.0.1:{port}/\x7f",
    "\x01http://127.0.0.1:{port}/",
    "http://127.0.0.1\u2028:{port}/",
    "\ufeffhttp://127.0.0.1:{port}/",
    "http://\u202e1.0.0.721/",
    "http://example.com \t127.0.0.1:{port}/",
    "   http://127.0.0.1:{port}/   ",
    "\n\thttp://127.0.0.1:{port}/\n",
]

HOSTS = NUMERIC_HOSTS + OTHER_SPELLINGS
URLS = [f"{scheme}://{host}/" for host in HOSTS for scheme in ("http", "https")]
URLS += [f"http://{host}:{{port}}/" for host in HOSTS]
URLS += AROUND_THE_HOST + WITH_WHITE_SPACE


def download_errors(urls: list[str], internal_server: InternalServer) -> dict[str, str]:
    """The error for each URL, which has to be one line. Fails if a URL is downloaded."""
    errors = {}
    for template in urls:
        url = template.replace("{port}", str(internal_server.port))
        try:
            download(url, timeout_seconds=2)
        except ToolError as error:
            errors[template] = str(error)
            assert "\n" not in str(error), template
        else:
            raise AssertionError(f"{url} was downloaded")
    return errors


def test_no_spelling_leads_to_a_connection(network: FakeNetwork, internal_server: InternalServer) -> None:
    errors = download_errors(URLS, internal_server)

    assert len(errors) > 400
    assert network.attempted_connections == []
    assert internal_server.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"])
def test_no_spelling_leads_to_a_connection_if_every_host_is_internal(
    network: FakeNetwork, internal_server: InternalServer, address: str
) -> None:
    network.resolve = lambda host, port: [socket_address(address, internal_server.port)]

    download_errors(URLS, internal_server)

    assert network.attempted_connections == []
    assert internal_server.connections == 0


def test_no_spelling_leads_to_an_internal_address_if_the_resolver_alternates(
    network: FakeNetwork, internal_server: InternalServer
) -> None:
    addresses = [socket_address("93.184.216.34", 80), socket_address("127.0.0.1", internal_server.port)]
    network.resolve = lambda host, port: [addresses[len(network.resolved_hosts) % 2]]

    download_errors(URLS, internal_server)

    assert {address for address, *_ in network.attempted_connections} == {"93.184.216.34"}
    assert internal_server.connections == 0


@pytest.mark.parametrize("host", NUMERIC_HOSTS)
def test_a_numeric_internal_host_is_rejected_with_the_reason(
    internal_server: InternalServer, host: str
) -> None:
    [error] = download_errors([f"http://{host}/"], internal_server).values()

    assert "is not a public address" in error or "this is not a URL" in error or "cannot be found" in error


def test_a_name_is_resolved_once_so_that_dns_rebinding_has_no_effect(
    network: FakeNetwork, internal_server: InternalServer
) -> None:
    lookups: dict[str, int] = {}

    def rebind(host: str, port: int) -> list[Address]:
        lookups[host] = lookups.get(host, 0) + 1
        first = lookups[host] == 1
        return [
            socket_address("93.184.216.34", port)
            if first
            else socket_address("127.0.0.1", internal_server.port)
        ]

    network.resolve = rebind
    for number in range(1000):
        with pytest.raises(ToolError, match="network is unreachable"):
            download(f"http://{number}.rebind.test/")

    assert set(lookups.values()) == {1}
    assert {address for address, *_ in network.attempted_connections} == {"93.184.216.34"}
    assert internal_server.connections == 0


def test_no_connection_goes_to_an_internal_address_if_the_resolver_is_random(
    network: FakeNetwork, internal_server: InternalServer
) -> None:
    generator = random.Random(7)
    public = ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111"]
    internal = [
        socket_address("127.0.0.1", internal_server.port),
        socket_address("::ffff:127.0.0.1", internal_server.port),
        socket_address("10.0.0.1", 80),
    ]

    def resolve(host: str, port: int) -> list[Address]:
        addresses = [*(socket_address(address, port) for address in public), *internal]
        return generator.sample(addresses, generator.choice([1, 1, 2, 3]))

    network.resolve = resolve
    errors = set()
    for _ in range(1000):
        with pytest.raises(ToolError) as error:
            download("http://random.test/")
        errors.add(str(error.value))

    assert errors == {
        "random.test is not a public address",
        "no connection to random.test: network is unreachable",
    }
    assert all(is_public(address) for address, *_ in network.attempted_connections)
    assert internal_server.connections == 0


def test_one_internal_address_among_public_ones_prevents_every_connection(
    network: FakeNetwork, internal_server: InternalServer
) -> None:
    network.resolve = lambda host, port: [
        socket_address("8.8.8.8", port),
        socket_address("127.0.0.1", internal_server.port),
    ]

    with pytest.raises(ToolError, match="^mixed.test is not a public address$"):
        download("http://mixed.test/")
    assert network.attempted_connections == []
    assert internal_server.connections == 0


def test_the_next_address_is_tried_if_one_refuses_the_connection(network: FakeNetwork) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = socket_address("127.0.0.1", listener.getsockname()[1])
    with raw_server(respond_with(http_response(b"hello"))) as server:
        network.resolve = lambda host, port: [
            closed,
            socket_address("8.8.8.8", port),
            socket_address("127.0.0.1", server.port),
        ]
        with exempt_hosts(["two.test:80"]):
            assert download("http://two.test/").body == b"hello"

    assert [address for address, *_ in network.attempted_connections] == ["127.0.0.1", "8.8.8.8", "127.0.0.1"]


def test_the_next_address_is_tried_if_the_machine_lacks_the_family_of_one(network: FakeNetwork) -> None:
    unsupported = (9999, ("8.8.8.8", 80))
    with raw_server(respond_with(http_response(b"hello"))) as server:
        network.resolve = lambda host, port: [unsupported, socket_address("127.0.0.1", server.port)]
        with exempt_hosts(["two.test:80"]):
            assert download("http://two.test/").body == b"hello"

    network.resolve = lambda host, port: [unsupported]
    with pytest.raises(ToolError, match="^no connection to one.test: address family not supported"):
        download("http://one.test/")


def test_the_internal_server_of_these_tests_counts_connections(internal_server: InternalServer) -> None:
    assert internal_server.connections == 0
    for _ in range(3):
        socket.create_connection(("127.0.0.1", internal_server.port)).close()

    assert internal_server.connections == 3
