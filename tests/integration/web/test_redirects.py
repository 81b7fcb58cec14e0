"""Each redirect is checked like the first URL, and none leads to an internal host."""

import pytest
from support.fake_network import FakeNetwork, InternalServer, socket_address
from support.raw_server import http_redirect, http_response, raw_server, respond_with

from upcall.domain.errors import ToolError
from upcall.web.download import download
from upcall.web.ssrf import exempt_hosts


def redirect_error(location: str, network: FakeNetwork) -> str:
    """The error of a download from a public page that redirects to `location`."""
    with raw_server(respond_with(http_redirect(location))) as server:
        resolve = network.resolve
        network.resolve = lambda host, port: (
            [socket_address("127.0.0.1", server.port)] if host == "public.test" else resolve(host, port)
        )
        with exempt_hosts(["public.test:80"]):
            with pytest.raises(ToolError) as caught:
                download("http://public.test/here")
    assert len(server.request_heads) == 1
    return str(caught.value)


@pytest.mark.parametrize(
    ("location", "error"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public address"),
        ("http://[::1]/", "::1 is not a public address"),
        ("http://0x7f.1/", "0x7f.1 is not a public address"),
        ("//localhost/", "localhost is not a public address"),
        ("http://public.test:8080/", "port 8080 is not allowed"),
        ("https://user:secret@example.com/", "must not contain a user name or a password"),
        ("file:///etc/passwd", "only http and https URLs can be fetched"),
        ("javascript:alert(1)", "only http and https URLs can be fetched"),
        ("gopher://127.0.0.1/", "only http and https URLs can be fetched"),
        ("http:\\\\127.0.0.1\\", "contains a character that is not allowed in a URL"),
        ("http://[", "the host %5b cannot be found"),
        ("http://example.com/" + "x" * 5000, "longer than 4,096 characters"),
    ],
)
def test_a_redirect_to_a_forbidden_url_is_an_error(network: FakeNetwork, location: str, error: str) -> None:
    assert error in redirect_error(location, network)


def test_a_redirect_to_an_internal_host_opens_no_connection(
    network: FakeNetwork, internal_server: InternalServer
) -> None:
    assert "is not allowed" in redirect_error(f"http://{internal_server.host}/", network)
    network.resolve = lambda host, port: [socket_address("127.0.0.1", internal_server.port)]
    assert "internal.test is not a public address" in redirect_error("http://internal.test/", network)

    assert internal_server.connections == 0


def test_a_redirect_out_of_the_allowed_domains_is_not_followed(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "public.test")
    error = redirect_error("http://evil.test/?data=secret", network)

    assert "evil.test is not allowed; the allowed domains are: public.test" in error
    assert "evil.test" not in network.resolved_hosts


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Again", "308 Gone There"])
@pytest.mark.parametrize("location", ["/there", "there", "//public.test/there", "http://public.test/there#x"])
def test_a_redirect_to_a_public_url_is_followed(network: FakeNetwork, status: str, location: str) -> None:
    responses = [http_redirect(location, status), http_response(b"there")]
    with raw_server(lambda connection: connection.sendall(responses.pop(0))) as server:
        network.resolve = lambda host, port: [socket_address("127.0.0.1", server.port)]
        with exempt_hosts(["public.test:80"]):
            page = download("http://public.test/here")

    assert (page.url, page.body) == ("http://public.test/there", b"there")
    assert server.request_heads[1].startswith(b"GET /there HTTP/1.1\r\nHost: public.test\r\n")


def test_a_loop_ends_after_five_redirects() -> None:
    with raw_server(respond_with(http_redirect("/again"))) as server:
        with exempt_hosts([server.host]):
            with pytest.raises(ToolError, match="the server redirects more than 5 times"):
                download(server.url)

    assert len(server.request_heads) == 6


def test_a_redirect_without_a_location_is_an_error_like_other_statuses() -> None:
    with raw_server(respond_with(http_response(status="302 Found"))) as server:
        with exempt_hosts([server.host]):
            with pytest.raises(ToolError, match="the server returned 302 Found"):
                download(server.url)
