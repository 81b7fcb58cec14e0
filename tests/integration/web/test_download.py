"""Responses of a server on loopback: what becomes a download, and what becomes an error."""

import gzip

import pytest
from support.canned_server import CannedServer, canned_server
from support.fake_network import FakeNetwork, InternalServer, socket_address
from support.raw_server import http_response, raw_server, respond_with
from werkzeug.wrappers import Response

from upcall.domain.errors import ToolError
from upcall.web.download import MAX_BYTES, Download, download
from upcall.web.ssrf import exempt_hosts


def html(body: bytes | str = "<p>Hi.</p>", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, 200, named, content_type="text/html; charset=iso-8859-1")


def download_from(server: CannedServer, path: str = "/") -> Download:
    with exempt_hosts([server.host]):
        return download(f"{server.url}{path}")


def test_a_download_has_the_media_type_and_charset_of_the_response() -> None:
    with canned_server(html()) as server:
        page = download_from(server, "/page?q=1#part")

    assert (page.body, page.media_type, page.charset) == (b"<p>Hi.</p>", "text/html", "iso-8859-1")
    assert page.url == f"{server.url}/page?q=1"
    (request,) = server.requests
    assert (request.method, request.path, request.headers["Host"]) == ("GET", "/page?q=1", server.host)


def test_requests_have_no_cookies_and_no_other_headers_than_these() -> None:
    with canned_server(html(), html(Set_Cookie="a=1")) as server:
        for _ in range(2):
            download_from(server)

    for request in server.requests:
        assert set(request.headers) <= {"Host", "Connection", "User-Agent", "Accept", "Accept-Encoding"}
        assert request.headers["Accept-Encoding"] == "gzip, deflate, br, zstd"


def test_proxies_in_the_environment_are_not_used(
    internal_server: InternalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{internal_server.host}")
    with canned_server(html()) as server:
        assert download_from(server).body == b"<p>Hi.</p>"

    assert internal_server.connections == 0


def test_a_compressed_body_is_decoded() -> None:
    with canned_server(html(gzip.compress(b"text"), Content_Encoding="GZip")) as server:
        assert download_from(server).body == b"text"


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410, 429, 500, 503])
def test_another_status_than_200_is_an_error(status: int) -> None:
    with (
        canned_server(Response(status=status)) as server,
        pytest.raises(ToolError, match=f"the server returned {status}"),
    ):
        download_from(server)


def test_a_page_that_a_proxy_has_changed_is_read() -> None:
    with canned_server(Response("hello", 203)) as server:
        assert download_from(server).body == b"hello"


def test_the_time_to_wait_is_told() -> None:
    with canned_server(Response(status=429, headers={"Retry-After": "90"})) as server:
        with pytest.raises(ToolError, match="429 TOO MANY REQUESTS; it asks to wait 90 seconds"):
            download_from(server)


@pytest.mark.parametrize(
    "response",
    [
        Response(
            "<title>Just a moment...</title><script>_cf_chl_opt</script>", 403, content_type="text/html"
        ),
        Response("", 403, {"cf-mitigated": "challenge"}),
        Response("", 202, {"x-amzn-waf-action": "challenge"}),
        Response("<script src=https://geo.captcha-delivery.com/c.js></script>", 403),
    ],
)
def test_a_check_for_browsers_is_named_as_one(response: Response) -> None:
    with canned_server(response) as server:
        with pytest.raises(ToolError, match="checks that its visitors are browsers"):
            download_from(server)


def test_an_error_page_without_an_end_is_an_error_like_others() -> None:
    with raw_server(respond_with(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9999\r\n\r\nhalf")) as server:
        with exempt_hosts([server.host]), pytest.raises(ToolError, match="the server returned 403 Forbidden"):
            download(server.url)


def test_a_body_of_the_maximum_size_is_read_and_a_larger_one_is_an_error() -> None:
    with canned_server(html(b"x" * (MAX_BYTES - 1000))) as server:
        assert len(download_from(server).body) == MAX_BYTES - 1000
    with (
        canned_server(html(b"x" * (MAX_BYTES + 1))) as server,
        pytest.raises(ToolError, match="more than 10,000,000 bytes"),
    ):
        download_from(server)


def test_an_unsupported_content_encoding_is_an_error() -> None:
    with canned_server(html(b"x", Content_Encoding="compress")) as server:
        with pytest.raises(ToolError, match="the content encoding compress is not supported"):
            download_from(server)


def test_a_refused_connection_is_an_error() -> None:
    with exempt_hosts(["127.0.0.1:1"]):
        with pytest.raises(ToolError, match="no connection to 127.0.0.1: connection refused"):
            download("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "host", ["example.com", "www.example.com", "EXAMPLE.com.", "a.b.example.com", "example.org"]
)
def test_allowed_domains_include_their_subdomains(
    network: FakeNetwork, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "Example.com, .example.org")
    with raw_server(respond_with(http_response(b"hello"))) as server:
        network.resolve = lambda name, port: [socket_address("127.0.0.1", server.port)]
        with exempt_hosts([f"{host.lower()}:80"]):
            assert download(f"http://{host}/").body == b"hello"
