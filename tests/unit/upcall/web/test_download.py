"""Downloads from a server on loopback that the environment allows."""

import gzip
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from support.canned import Server, canned
from werkzeug.wrappers import Response

from local.functions import function_environment
from upcall.errors import ToolError
from upcall.web import download as module
from upcall.web.download import MAX_BYTES, download


@contextmanager
def server(*answers: Response) -> Iterator[Server]:
    with canned(*answers) as up, function_environment({"FETCH_LOCAL_HOSTS": up.host}):
        yield up


def html(body: bytes | str = "<p>Hi.</p>", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, 200, named, content_type="text/html; charset=iso-8859-1")


def test_a_page_comes_with_its_type_and_charset() -> None:
    with server(html("<p>Hi.</p>")) as up:
        got = download(f"{up.url}/page?q=1#part")

    assert (got.body, got.media_type, got.charset) == (b"<p>Hi.</p>", "text/html", "iso-8859-1")
    assert up.asked[0].path == "/page?q=1"
    assert up.asked[0].headers["Host"] == up.host
    assert "Authorization" not in up.asked[0].headers


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
    ids=["gzip", "x-gzip", "deflate"],
)
def test_compressed_bodies_are_read(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    with server(html(compress(b"text"), Content_Encoding=encoding)) as up:
        assert download(up.url).body == b"text"


def test_redirects_are_followed_to_the_end() -> None:
    there = Response(status=302, headers={"Location": "/there"})
    with server(there, html("there")) as up:
        got = download(f"{up.url}/here")

    assert got.body == b"there"
    assert got.url == f"{up.url}/there"


def test_redirects_without_end_are_given_up() -> None:
    with server(Response(status=301, headers={"Location": "/again"})) as up:
        with pytest.raises(ToolError, match="redirected more than 5 times"):
            download(up.url)

    assert len(up.asked) == 6


def test_a_redirect_to_an_address_that_is_not_public_is_not_followed() -> None:
    with canned(html("secret")) as inside:
        with server(Response(status=302, headers={"Location": f"{inside.url}/secret"})) as up:
            with pytest.raises(ToolError, match="is not allowed"):
                download(up.url)

    assert inside.asked == []


@pytest.mark.parametrize("status", [204, 304, 400, 401, 403, 404, 410, 429, 500, 503])
def test_any_other_status_is_said(status: int) -> None:
    with server(Response(status=status)) as up, pytest.raises(ToolError, match=f"answered {status}"):
        download(up.url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not an http or https URL"),
        ("example.com", "not an http or https URL"),
        ("ftp://example.com/", "not an http or https URL"),
        ("file:///etc/passwd", "not an http or https URL"),
        ("javascript:alert(1)", "not an http or https URL"),
        ("http://", "names no host"),
        ("http:///path", "names no host"),
        ("http://user:secret@example.com/", "must not hold a user name"),
        ("http://[::1/", "is not a URL"),
        ("http://example.com:99999/", "port 99999 is not allowed"),
    ],
)
def test_a_bad_url_is_refused_with_the_reason(url: str, reason: str) -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": ""}), pytest.raises(ToolError, match=reason):
        download(url)


def test_a_body_over_the_limit_is_given_up() -> None:
    with server(html(b"x" * (MAX_BYTES + 1))) as up, pytest.raises(ToolError, match="larger than 10,000,000"):
        download(up.url)


def test_a_bomb_is_given_up_before_it_unfolds() -> None:
    bomb = gzip.compress(b"\x00" * 200_000_000)
    with server(html(bomb, Content_Encoding="gzip")) as up:
        with pytest.raises(ToolError, match="larger than 10,000,000"):
            download(up.url)


def test_damaged_data_is_said() -> None:
    with server(html(b"not gzip", Content_Encoding="gzip")) as up:
        with pytest.raises(ToolError, match="damaged gzip data"):
            download(up.url)


def test_an_encoding_that_was_not_asked_for_is_said() -> None:
    with server(html(b"x", Content_Encoding="br")) as up:
        with pytest.raises(ToolError, match="encoded as br, which cannot be read"):
            download(up.url)


def test_a_server_that_is_not_there_is_said() -> None:
    with function_environment({"FETCH_LOCAL_HOSTS": "127.0.0.1:1"}):
        with pytest.raises(ToolError, match="could not be fetched"):
            download("http://127.0.0.1:1/")


@pytest.mark.parametrize("drip", [True, False], ids=["drips", "is silent"])
def test_one_deadline_holds_for_everything(monkeypatch: pytest.MonkeyPatch, drip: bool) -> None:
    monkeypatch.setattr(module, "DEADLINE_SECONDS", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        host = f"127.0.0.1:{listener.getsockname()[1]}"

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                if drip:
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
                for _ in range(30):
                    time.sleep(0.1)
                    try:
                        connection.sendall(b"x" if drip else b"")
                    except OSError:
                        return

        threading.Thread(target=serve, daemon=True).start()
        start = time.monotonic()
        with function_environment({"FETCH_LOCAL_HOSTS": host}):
            with pytest.raises(ToolError, match=r"took longer|did not answer"):
                download(f"http://{host}/")

    assert time.monotonic() - start < 1.6
