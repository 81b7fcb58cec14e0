"""Good answers, and plain refusals, from a server on loopback that the environment allows."""

import gzip

import pytest
from support.canned_server import Server, canned
from support.raw_network import (
    Canary,
    World,
    answer,
    at,
    raw_server,
    says,
)
from werkzeug.wrappers import Response

from local.lambda_runtime import function_environment
from upcall.domain.errors import ToolError
from upcall.web.download import MAX_BYTES, Download, download


def html(body: bytes | str = "<p>Hi.</p>", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, 200, named, content_type="text/html; charset=iso-8859-1")


def got(up: Server, path: str = "/", **environment: str) -> Download:
    with function_environment({"FETCH_LOCAL_HOSTS": up.host, **environment}):
        return download(f"{up.url}{path}")


def test_a_page_comes_with_its_type_and_charset() -> None:
    with canned(html()) as up:
        found = got(up, "/page?q=1#part")

    assert (found.body, found.media_type, found.charset) == (b"<p>Hi.</p>", "text/html", "iso-8859-1")
    assert found.url == f"{up.url}/page?q=1"
    (asked,) = up.asked
    assert (asked.method, asked.path, asked.headers["Host"]) == ("GET", "/page?q=1", up.host)


def test_nothing_of_ours_is_told_to_the_server() -> None:
    with canned(html(), html(Set_Cookie="a=1")) as up:
        for _ in range(2):
            got(up)

    for asked in up.asked:
        assert set(asked.headers) <= {"Host", "Connection", "User-Agent", "Accept", "Accept-Encoding"}
        assert asked.headers["Accept-Encoding"] == "gzip, deflate, br, zstd"


def test_proxies_of_the_environment_are_not_used(canary: Canary, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://{canary.host}")
    with canned(html()) as up:
        assert got(up).body == b"<p>Hi.</p>"

    assert canary.connections == 0


def test_compressed_bodies_are_read() -> None:
    with canned(html(gzip.compress(b"text"), Content_Encoding="GZip")) as up:
        assert got(up).body == b"text"


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 403, 404, 410, 429, 500, 503])
def test_any_other_status_is_said(status: int) -> None:
    with (
        canned(Response(status=status)) as up,
        pytest.raises(ToolError, match=f"the server answered {status}"),
    ):
        got(up)


def test_a_body_as_large_as_may_be_is_read_and_a_larger_one_is_not() -> None:
    with canned(html(b"x" * (MAX_BYTES - 1000))) as up:
        assert len(got(up).body) == MAX_BYTES - 1000
    with (
        canned(html(b"x" * (MAX_BYTES + 1))) as up,
        pytest.raises(ToolError, match="more than 10,000,000 bytes"),
    ):
        got(up)


def test_an_encoding_that_was_not_asked_for_is_said() -> None:
    with canned(html(b"x", Content_Encoding="compress")) as up:
        with pytest.raises(ToolError, match="encoded as compress, which cannot be read"):
            got(up)


def test_a_server_that_is_not_there_is_said() -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": "127.0.0.1:1"}):
        with pytest.raises(ToolError, match="no connection to 127.0.0.1: connection refused"):
            download("http://127.0.0.1:1/")


@pytest.mark.parametrize(
    "host", ["example.com", "www.example.com", "EXAMPLE.com.", "a.b.example.com", "example.org"]
)
def test_allowed_domains_are_read_with_all_below_them(world: World, host: str) -> None:
    with raw_server(says(answer(b"hello"))) as server:
        world.resolve = lambda name, port: [at("127.0.0.1", server.port)]
        allowed = {"ALLOWED_DOMAINS": "Example.com, .example.org", "FETCH_LOCAL_HOSTS": f"{host.lower()}:80"}
        with function_environment(allowed):
            assert download(f"http://{host}/").body == b"hello"


@pytest.mark.parametrize("host", ["notexample.com", "example.com.evil.test", "com", "example.co", "8.8.8.8"])
def test_other_domains_are_not_even_looked_up(world: World, host: str) -> None:
    with function_environment({"ALLOWED_DOMAINS": "example.com"}):
        with pytest.raises(ToolError, match=f"^{host} is not allowed here; these domains are: example.com$"):
            download(f"http://{host}/?data=secret")

    assert world.asked == []
