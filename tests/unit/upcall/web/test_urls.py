"""URLs as an attacker would spell them. However it is done, a canary on loopback sees nobody come.

In each test the port of the canary stands for `{port}`, and the world's resolver is one of three: the
system's own for hosts that are numbers, one that says of every host that it is the canary's, and one that
changes its mind.
"""

import random
import socket

import pytest
from support.raw_network import (
    Answer,
    Canary,
    World,
    answer,
    at,
    raw_server,
    says,
)

from local.lambda_runtime import function_environment
from upcall.domain.errors import ToolError
from upcall.web.download import download
from upcall.web.ssrf import is_public
from upcall.web.transport import MAX_ADDRESSES

LOOPBACK_NUMBERS = """
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

HOSTS = LOOPBACK_NUMBERS + OTHER_SPELLINGS
URLS = [f"{scheme}://{host}/" for host in HOSTS for scheme in ("http", "https")]
URLS += [f"http://{host}:{{port}}/" for host in HOSTS]
URLS += AROUND_THE_HOST + WITH_WHITE_SPACE


def refusals(urls: list[str], canary: Canary) -> dict[str, str]:
    """What is said of each URL; an assertion if one is fetched, or if what is said is no sentence."""
    said = {}
    for template in urls:
        url = template.replace("{port}", str(canary.port))
        try:
            download(url, seconds=2)
        except ToolError as error:
            said[template] = str(error)
            assert "\n" not in str(error), template
        else:
            raise AssertionError(f"{url} was fetched")
    return said


def test_no_spelling_of_an_inner_host_leads_anywhere(world: World, canary: Canary) -> None:
    said = refusals(URLS, canary)

    assert len(said) > 400
    assert world.connected == []
    assert canary.connections == 0


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"])
def test_no_spelling_leads_anywhere_if_every_host_is_inside(
    world: World, canary: Canary, address: str
) -> None:
    world.resolve = lambda host, port: [at(address, canary.port)]

    refusals(URLS, canary)

    assert world.connected == []
    assert canary.connections == 0


def test_no_spelling_leads_anywhere_but_to_public_addresses_if_the_resolver_has_both(
    world: World, canary: Canary
) -> None:
    answers = [at("93.184.216.34", 80), at("127.0.0.1", canary.port)]
    world.resolve = lambda host, port: [answers[len(world.asked) % 2]]

    refusals(URLS, canary)

    assert {address for address, *_ in world.connected} == {"93.184.216.34"}
    assert canary.connections == 0


@pytest.mark.parametrize("number", LOOPBACK_NUMBERS)
def test_an_inner_host_is_refused_as_what_it_is(canary: Canary, number: str) -> None:
    [words] = refusals([f"http://{number}/"], canary).values()

    assert "is not a public address" in words or "this is not a URL" in words or "cannot be found" in words


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "only http and https URLs can be fetched"),
        ("example.com", "only http and https URLs can be fetched"),
        ("//example.com/", "only http and https URLs can be fetched"),
        ("example.com:80/", "only http and https URLs can be fetched"),
        ("ftp://example.com/", "only http and https URLs can be fetched"),
        ("file:///etc/passwd", "only http and https URLs can be fetched"),
        ("data:text/html,hi", "only http and https URLs can be fetched"),
        ("http://", "the URL names no host"),
        ("http:///path", "the URL names no host"),
        ("http:/example.com", "the URL names no host"),
        ("https:example.com", "the URL names no host"),
        ("http://:80/", "the URL names no host"),
        ("http://example.com:0/", "the URL names no host"),
        ("http://user@example.com/", "a URL must not hold a user name or a password"),
        ("http://user:secret@example.com/", "a URL must not hold a user name or a password"),
        ("http://127.0.0.1:80@example.com/", "a URL must not hold a user name or a password"),
        ("http://example.com\\@127.0.0.1/", "the URL holds a character that no URL may hold"),
        ("http://exam\nple.com/", "the URL holds a character that no URL may hold"),
        ("http://example.com/\x00", "the URL holds a character that no URL may hold"),
        ("http://exam\u200bple.com/", "the URL holds a character that no URL may hold"),
        ("http://[::1/", "this is not a URL: "),
        ("http://[example.com]/", "this is not a URL: Invalid IPv6 address: '[example.com]'"),
        ("http://256.1.1.1/", "this is not a URL: Invalid IPv4 address: '256.1.1.1'"),
        ("http://１２７.0.0.1/", "this is not a URL: Invalid IDNA hostname: '１２７.0.0.1'"),
        ("http://example.com:port/", "this is not a URL: Invalid port: 'port'"),
        ("http://example.com:65536/", "port 65536 is not allowed, only 80 and 443 are"),
        ("http://example.com:8080/", "port 8080 is not allowed, only 80 and 443 are"),
        ("https://example.com:22/", "port 22 is not allowed, only 80 and 443 are"),
        ("http://example.com/" + "x" * 4096, "the URL is longer than 4,096 characters"),
        ("http://" + "x" * 5000, "the URL is longer than 4,096 characters"),
        ("http://unknown.test/", "the host unknown.test cannot be found"),
    ],
)
def test_a_bad_url_is_refused_with_the_reason(canary: Canary, url: str, words: str) -> None:
    [said] = refusals([url], canary).values()

    assert said.startswith(words)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("http://example.com", "example.com", 80),
        ("https://example.com", "example.com", 443),
        ("HTTPS://EXAMPLE.com:443/", "example.com", 443),
        ("http://example.com:443/", "example.com", 443),
        ("https://example.com:80/", "example.com", 80),
        ("http://example.com.:/", "example.com.", 80),
        ("  http://example.com/a?b=c#d  ", "example.com", 80),
        ("http://@example.com/", "example.com", 80),
        ("http://example.com#@127.0.0.1/", "example.com", 80),
        ("http://example.com?@127.0.0.1/", "example.com", 80),
        ("http://example.com/@127.0.0.1/", "example.com", 80),
        ("http://example。com/", "example.com", 80),
        ("http://bücher.example/", "xn--bcher-kva.example", 80),
        ("http://straße.example/ä?ö=ü", "xn--strae-oqa.example", 80),
        ("http://xn--i-7iq.example/", "xn--i-7iq.example", 80),
        ("http://under_score.example/", "under_score.example", 80),
        ("http://8.8.8.8/", "8.8.8.8", 80),
        ("http://0x08080808/", "0x08080808", 80),
        ("https://[2606:4700:4700::1111]/", "2606:4700:4700::1111", 443),
    ],
)
def test_a_public_host_is_asked_for_by_its_name_and_nothing_around_it(
    world: World, url: str, host: str, port: int
) -> None:
    asked: list[tuple[str, int]] = []

    def resolve(name: str, number: int) -> list[Answer]:
        asked.append((name, number))
        return [at("93.184.216.34", number)]

    world.resolve = resolve

    with pytest.raises(ToolError, match="^no connection to .*: network is unreachable$"):
        download(url)
    assert asked == [(host, port)]
    assert world.connected == [("93.184.216.34", port)]


def test_a_name_that_is_public_when_checked_and_inside_when_asked_again_is_asked_once(
    world: World, canary: Canary
) -> None:
    looked_up: dict[str, int] = {}

    def rebind(host: str, port: int) -> list[Answer]:
        looked_up[host] = looked_up.get(host, 0) + 1
        return [at("93.184.216.34", port) if looked_up[host] == 1 else at("127.0.0.1", canary.port)]

    world.resolve = rebind
    for number in range(1000):
        with pytest.raises(ToolError, match="network is unreachable"):
            download(f"http://{number}.rebind.test/")

    assert set(looked_up.values()) == {1}
    assert {address for address, *_ in world.connected} == {"93.184.216.34"}
    assert canary.connections == 0


def test_a_resolver_that_answers_by_chance_never_leads_inside(world: World, canary: Canary) -> None:
    chance = random.Random(7)
    outside = ["93.184.216.34", "8.8.8.8", "2606:4700:4700::1111"]
    inside = [at("127.0.0.1", canary.port), at("::ffff:127.0.0.1", canary.port), at("10.0.0.1", 80)]

    def resolve(host: str, port: int) -> list[Answer]:
        found = [*(at(address, port) for address in outside), *inside]
        return chance.sample(found, chance.choice([1, 1, 2, 3]))

    world.resolve = resolve
    said = set()
    for _ in range(1000):
        with pytest.raises(ToolError) as error:
            download("http://chance.test/")
        said.add(str(error.value))

    assert said == {
        "chance.test is not a public address",
        "no connection to chance.test: network is unreachable",
    }
    assert all(is_public(address) for address, *_ in world.connected)
    assert canary.connections == 0


def test_an_inner_address_among_public_ones_keeps_all_of_them_from_being_tried(
    world: World, canary: Canary
) -> None:
    world.resolve = lambda host, port: [at("8.8.8.8", port), at("127.0.0.1", canary.port)]

    with pytest.raises(ToolError, match="^mixed.test is not a public address$"):
        download("http://mixed.test/")
    assert world.connected == []
    assert canary.connections == 0


def test_the_second_address_is_tried_where_the_first_refuses(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = at("127.0.0.1", closed.getsockname()[1])
    with raw_server(says(answer(b"hello"))) as server:
        world.resolve = lambda host, port: [nobody, at("8.8.8.8", port), at("127.0.0.1", server.port)]
        with function_environment({"FETCH_LOCAL_HOSTS": "two.test:80"}):
            assert download("http://two.test/").body == b"hello"

    assert [address for address, *_ in world.connected] == ["127.0.0.1", "8.8.8.8", "127.0.0.1"]


def test_an_address_of_a_kind_that_this_machine_lacks_is_passed_over(world: World) -> None:
    lacking = (9999, ("8.8.8.8", 80))
    with raw_server(says(answer(b"hello"))) as server:
        world.resolve = lambda host, port: [lacking, at("127.0.0.1", server.port)]
        with function_environment({"FETCH_LOCAL_HOSTS": "two.test:80"}):
            assert download("http://two.test/").body == b"hello"

    world.resolve = lambda host, port: [lacking]
    with pytest.raises(ToolError, match="^no connection to one.test: address family not supported"):
        download("http://one.test/")


def test_not_every_address_of_a_name_with_many_is_tried(world: World) -> None:
    world.resolve = lambda host, port: [at(f"8.8.8.{number}", port) for number in range(100)]

    with pytest.raises(ToolError, match="^no connection to many.test: network is unreachable$"):
        download("http://many.test/")
    assert len(world.connected) == MAX_ADDRESSES


def test_a_name_without_addresses_is_a_sentence_too(world: World) -> None:
    world.resolve = lambda host, port: []

    with pytest.raises(ToolError, match="^no connection to none.test: it has no address$"):
        download("http://none.test/")
