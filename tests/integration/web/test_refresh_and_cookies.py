"""Pages that lead to another page by themselves, and cookies from redirect to redirect."""

import pytest
from support.canned_server import CannedServer, canned_server
from support.fake_network import FakeNetwork, InternalServer, socket_address
from werkzeug.wrappers import Response

from upcall.domain.errors import ToolError
from upcall.web.download import MAX_REDIRECTS, MAX_REFRESH_SECONDS, Download, download
from upcall.web.ssrf import exempt_hosts


def page(text: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(text, 200, named, content_type="text/html")


def refresh(url: str, seconds: int = 0, text: str = "") -> Response:
    return page(f'<meta http-equiv="refresh" content="{seconds}; url={url}">{text}')


def redirect(location: str, *cookies: str) -> Response:
    response = Response("", 302, {"Location": location})
    for cookie in cookies:
        response.headers.add("Set-Cookie", cookie)
    return response


def download_from(server: CannedServer, path: str = "/start") -> Download:
    with exempt_hosts([server.host]):
        return download(f"{server.url}{path}")


@pytest.mark.parametrize("seconds", [0, MAX_REFRESH_SECONDS])
def test_a_refresh_is_followed(seconds: int) -> None:
    with canned_server(refresh("/there?a=1", seconds), page("there")) as server:
        found = download_from(server)

    assert (found.body, found.url) == (b"there", f"{server.url}/there?a=1")
    assert [request.path for request in server.requests] == ["/start", "/there?a=1"]


def test_a_refresh_in_the_header_is_followed() -> None:
    with canned_server(page("here", Refresh="0; url=/there"), page("there")) as server:
        assert download_from(server).body == b"there"


@pytest.mark.parametrize(
    "first", [refresh("/x", MAX_REFRESH_SECONDS + 1), refresh("/start"), refresh("mailto:a@b")]
)
def test_a_late_refresh_and_one_to_the_same_page_or_to_no_page_are_not_followed(first: Response) -> None:
    with canned_server(first) as server:
        assert b"http-equiv" in download_from(server).body

    assert len(server.requests) == 1


def test_refreshes_count_as_redirects() -> None:
    with canned_server(redirect("/1"), *(refresh(f"/{number}") for number in range(2, 20))) as server:
        with pytest.raises(ToolError, match=f"redirects more than {MAX_REDIRECTS} times"):
            download_from(server)

    assert len(server.requests) == MAX_REDIRECTS + 1


def test_a_refresh_to_an_internal_host_opens_no_connection(internal_server: InternalServer) -> None:
    with canned_server(refresh(f"http://{internal_server.host}/")) as server:
        with pytest.raises(ToolError, match="not allowed|not a public address"):
            download_from(server)

    assert internal_server.connections == 0


@pytest.mark.parametrize(
    ("target", "error"),
    [
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public address"),
        (
            "http://user:secret@example.com/",
            "leads to a URL that cannot be fetched: the URL must not contain a user",
        ),
    ],
)
def test_a_refresh_to_a_forbidden_url_is_an_error(target: str, error: str) -> None:
    with canned_server(refresh(target)) as server:
        with pytest.raises(ToolError, match=error):
            download_from(server)


def test_a_refresh_out_of_the_allowed_domains_is_not_followed(
    monkeypatch: pytest.MonkeyPatch, network: FakeNetwork
) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "127.0.0.1")
    with canned_server(refresh("http://evil.test/?data=secret")) as server:
        with pytest.raises(ToolError, match="evil.test is not allowed; the allowed domains are"):
            download_from(server)

    assert "evil.test" not in network.resolved_hosts


@pytest.mark.parametrize("second", [Response(status=404), refresh("/start", 5), redirect("http://10.0.0.1/")])
def test_a_page_that_is_shown_first_is_read_if_the_next_one_cannot_be(second: Response) -> None:
    with canned_server(refresh("/gone", 5, "<p>Moved.</p>"), second, Response(status=404)) as server:
        assert b"http-equiv" in download_from(server).body


def test_cookies_are_sent_with_the_next_request_of_the_same_download() -> None:
    with canned_server(
        redirect("/a/consent", "session=1; Path=/", "other=2; Path=/elsewhere"),
        redirect("/a/page", "seen=yes"),
        page("hello"),
    ) as server:
        assert download_from(server, "/a/start").body == b"hello"

    cookies = [request.headers.get("Cookie", "") for request in server.requests]
    assert cookies[0] == ""
    assert cookies[1] == "session=1"
    assert sorted(cookies[2].split("; ")) == ["seen=yes", "session=1"]


def test_a_redirect_to_the_same_page_that_sets_a_cookie_leads_to_it() -> None:
    with canned_server(redirect("/start", "ok=1"), page("hello")) as server:
        assert download_from(server).body == b"hello"

    assert server.requests[1].headers["Cookie"] == "ok=1"


def test_a_page_that_sets_a_cookie_and_loads_itself_anew_is_followed() -> None:
    wall = page('<meta http-equiv="refresh" content="0">', Set_Cookie="ok=1")
    with canned_server(wall, page("hello")) as server:
        assert download_from(server).body == b"hello"

    assert server.requests[1].headers["Cookie"] == "ok=1"


def test_no_download_has_the_cookies_of_another() -> None:
    with canned_server(page("hello", Set_Cookie="a=1; Path=/")) as server:
        for _ in range(2):
            download_from(server)

    assert all("Cookie" not in request.headers for request in server.requests)


def test_cookies_do_not_go_to_another_domain(network: FakeNetwork) -> None:
    with canned_server(
        redirect("http://two.test/", "host=1", "domain=2; Domain=one.test", "foreign=3; Domain=two.test"),
        redirect("http://www.one.test/"),
        page("hello"),
    ) as server:
        port = int(server.url.rpartition(":")[2])
        network.resolve = lambda host, _: [socket_address("127.0.0.1", port)]
        with exempt_hosts(["one.test:80", "two.test:80", "www.one.test:80"]):
            download("http://one.test/")

    assert [request.headers.get("Cookie", "") for request in server.requests] == ["", "", "domain=2"]
