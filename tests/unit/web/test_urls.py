"""URLs: which are rejected, and which host of a URL is looked up."""

import pytest
from support.fake_network import Address, FakeNetwork, socket_address

from upcall.domain.errors import ToolError
from upcall.web.download import download


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "only http and https URLs can be fetched"),
        ("example.com", "only http and https URLs can be fetched"),
        ("//example.com/", "only http and https URLs can be fetched"),
        ("example.com:80/", "only http and https URLs can be fetched"),
        ("ftp://example.com/", "only http and https URLs can be fetched"),
        ("file:///etc/passwd", "only http and https URLs can be fetched"),
        ("data:text/html,hi", "only http and https URLs can be fetched"),
        ("http://", "the URL has no host"),
        ("http:///path", "the URL has no host"),
        ("http:/example.com", "the URL has no host"),
        ("https:example.com", "the URL has no host"),
        ("http://:80/", "the URL has no host"),
        ("http://example.com:0/", "port 0 is not allowed, only 80 and 443 are"),
        ("http://user@example.com/", "the URL must not contain a user name or a password"),
        ("http://user:secret@example.com/", "the URL must not contain a user name or a password"),
        ("http://127.0.0.1:80@example.com/", "the URL must not contain a user name or a password"),
        ("http://example.com\\@127.0.0.1/", "the URL contains a character that is not allowed in a URL"),
        ("http://exam\nple.com/", "the URL contains a character that is not allowed in a URL"),
        ("http://example.com/\x00", "the URL contains a character that is not allowed in a URL"),
        ("http://exam\u200bple.com/", "the URL contains a character that is not allowed in a URL"),
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
def test_a_forbidden_url_is_rejected_with_the_reason(network: FakeNetwork, url: str, message: str) -> None:
    with pytest.raises(ToolError) as caught:
        download(url)

    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert network.attempted_connections == []


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
def test_a_public_host_is_looked_up_by_its_name_only(
    network: FakeNetwork, url: str, host: str, port: int
) -> None:
    lookups: list[tuple[str, int]] = []

    def resolve(name: str, number: int) -> list[Address]:
        lookups.append((name, number))
        return [socket_address("93.184.216.34", number)]

    network.resolve = resolve

    with pytest.raises(ToolError, match="^no connection to .*: network is unreachable$"):
        download(url)
    assert lookups == [(host, port)]
    assert network.attempted_connections == [("93.184.216.34", port)]


@pytest.mark.parametrize("host", ["notexample.com", "example.com.evil.test", "com", "example.co", "8.8.8.8"])
def test_a_host_outside_of_the_allowed_domains_is_not_looked_up(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "example.com")

    with pytest.raises(ToolError, match=f"^{host} is not allowed; the allowed domains are: example.com$"):
        download(f"http://{host}/?data=secret")
    assert network.resolved_hosts == []
