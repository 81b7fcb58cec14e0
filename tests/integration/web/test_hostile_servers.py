"""Servers that are slow, send too much or break the protocol: an error in time, with little memory."""

import gzip
import itertools
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from contextlib import ExitStack

import brotli
import pytest
from support.fake_network import Address, FakeNetwork, socket_address
from support.raw_server import (
    RawServer,
    Serve,
    http_response,
    never_respond,
    raw_server,
    reset_connection,
    respond_with,
)
from support.zstd_module import zstd

from local.config import ROOT
from upcall.domain.errors import ToolError
from upcall.web.download import download
from upcall.web.ssrf import exempt_hosts

SHORT_TIMEOUT_SECONDS = 0.3
"""For servers that are slow on purpose."""

LONG_TIMEOUT_SECONDS = 10.0
"""For servers that fail at once: a busy machine must not run into it."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def download_error(
    server: RawServer, url: str | None = None, *, timeout_seconds: float = LONG_TIMEOUT_SECONDS
) -> str:
    """The error of a download from a server. It has to come in time, and to be short."""
    start = time.monotonic()
    with exempt_hosts([server.host, "slow.test:443"]):
        with pytest.raises(ToolError) as caught:
            download(url or server.url, timeout_seconds=timeout_seconds)
    assert time.monotonic() - start < timeout_seconds + 1
    message = str(caught.value)
    assert len(message) < 300
    assert "\n" not in message
    return message


def send_slowly(start: bytes, chunks: Iterable[bytes], interval_seconds: float = 0.1) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.sendall(start)
        for chunk in chunks:
            time.sleep(interval_seconds)
            connection.sendall(chunk)

    return serve


def send_endlessly(start: bytes, chunk: bytes) -> Serve:
    """Send a chunk again and again, until the client closes the connection."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(start)
        while True:
            connection.sendall(chunk)

    return serve


TOO_SLOW = {
    "no response": never_respond,
    "headers byte by byte": send_slowly(b"HTTP/1.1 200 OK\r\n", itertools.repeat(b"X: y\r\n")),
    "status line byte by byte": send_slowly(b"HTTP/1.1 200 ", itertools.repeat(b"O")),
    "body byte by byte": send_slowly(HEAD + b"\r\n", itertools.repeat(b"x")),
    "chunks byte by byte": send_slowly(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", itertools.repeat(b"1\r\nx\r\n")
    ),
    "stops within the body": send_slowly(
        HEAD + b"Content-Length: 100\r\n\r\nhalf", [b""], interval_seconds=5
    ),
    "endless 100 Continue": send_slowly(
        b"", itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), interval_seconds=0.01
    ),
}


TOOK_TOO_LONG = "the server took longer than 0.3 seconds"


@pytest.mark.parametrize("serve", TOO_SLOW.values(), ids=TOO_SLOW)
def test_a_slow_server_is_given_up_at_the_deadline(serve: Serve) -> None:
    with raw_server(serve) as server:
        assert download_error(server, timeout_seconds=SHORT_TIMEOUT_SECONDS) == TOOK_TOO_LONG


@pytest.mark.parametrize(
    "serve",
    [never_respond, send_slowly(b"\x16\x03\x03\x40\x00", itertools.repeat(b"\x02"))],
    ids=["no response", "byte by byte"],
)
def test_a_slow_tls_handshake_is_given_up_at_the_deadline(network: FakeNetwork, serve: Serve) -> None:
    with raw_server(serve, reads_request=False) as server:
        network.resolve = lambda host, port: [socket_address("127.0.0.1", server.port)]
        error = download_error(server, "https://slow.test/", timeout_seconds=SHORT_TIMEOUT_SECONDS)

    assert error == TOOK_TOO_LONG


def test_a_slow_name_lookup_is_given_up_at_the_deadline(network: FakeNetwork) -> None:
    test_is_over = threading.Event()

    def resolve(host: str, port: int) -> list[Address]:
        test_is_over.wait(10)
        return []

    network.resolve = resolve
    start = time.monotonic()
    try:
        with pytest.raises(ToolError, match="the lookup of the host slow.test timed out"):
            download("http://slow.test/", timeout_seconds=SHORT_TIMEOUT_SECONDS)
    finally:
        test_is_over.set()
    assert time.monotonic() - start < SHORT_TIMEOUT_SECONDS + 1


TOO_MUCH = {
    "endless body": send_endlessly(HEAD + b"\r\n", b"x" * 65_536),
    "body of ten gigabytes": send_endlessly(HEAD + b"Content-Length: 10000000000\r\n\r\n", b"x" * 65_536),
    "endless chunks": send_endlessly(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    ),
}


@pytest.mark.parametrize("serve", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_download_stops_at_ten_megabytes(serve: Serve) -> None:
    with raw_server(serve) as server:
        assert "10,000,000 bytes" in download_error(server)


BROKEN = {
    "closes at once": respond_with(b""),
    "closes within the headers": respond_with(b"HTTP/1.1 200 OK\r\nContent-"),
    "closes within the body": respond_with(HEAD + b"Content-Length: 100\r\n\r\nhalf"),
    "closes within a chunk": respond_with(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nhalf"),
    "resets": reset_connection,
    "garbage": respond_with(b"\x00\xff\x00\xff" * 100 + b"\r\n\r\n"),
    "HTTP/0.9": respond_with(b"<p>hello</p>"),
    "FTP": respond_with(b"220 Welcome\r\n"),
    "invalid Content-Length": respond_with(HEAD + b"Content-Length: many\r\n\r\nx"),
    "negative Content-Length": respond_with(HEAD + b"Content-Length: -1\r\n\r\nx"),
    "two Content-Lengths": respond_with(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "invalid chunk size": respond_with(HEAD + b"Transfer-Encoding: chunked\r\n\r\nmany\r\nx"),
    "unknown Transfer-Encoding": respond_with(HEAD + b"Transfer-Encoding: pigeons\r\n\r\nx"),
    "endless headers": send_endlessly(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 1000 + b"\r\n"),
    "endless status line": send_endlessly(b"HTTP/1.1 200 ", b"OK" * 1000),
    "101 Switching Protocols": respond_with(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    ),
}


@pytest.mark.parametrize("serve", BROKEN.values(), ids=BROKEN)
def test_an_invalid_response_is_an_error(serve: Serve) -> None:
    with raw_server(serve) as server:
        message = download_error(server)

    assert message.startswith(
        ("the server's response is not valid HTTP: ", "the connection was lost: ", "the server returned ")
    )
    assert "bytearray" not in message


def test_bytes_after_the_stated_length_are_not_read() -> None:
    body = http_response(b"hello") + b"HTTP/1.1 200 OK\r\n\r\nmore"
    with raw_server(respond_with(body)) as server:
        with exempt_hosts([server.host]):
            assert download(server.url).body == b"hello"


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(1, wbits=-15)
    return stream.compress(data) + stream.flush()


ZEROS = bytes(100_000_000)
EMPTY_PARTS = 400_000


def bomb(encoding: str, body: bytes) -> Serve:
    """A response whose small body is very large once it is decoded."""
    return respond_with(http_response(body, f"Content-Encoding: {encoding}"))


LARGE: dict[str, Callable[[], Serve]] = {
    "gzip": lambda: bomb("gzip", gzip.compress(ZEROS, 1)),
    "deflate": lambda: bomb("deflate", zlib.compress(ZEROS, 1)),
    "deflate without a header": lambda: bomb("deflate", raw_deflate(ZEROS)),
    "br": lambda: bomb("br", brotli.compress(ZEROS, quality=1)),
    "zstd": lambda: bomb("zstd", zstd.compress(ZEROS)),
    "gzip in gzip": lambda: bomb("gzip, gzip", gzip.compress(gzip.compress(ZEROS, 1))),
    "zstd in br": lambda: bomb("zstd, br", brotli.compress(zstd.compress(ZEROS), quality=1)),
    "empty members": lambda: bomb("gzip", gzip.compress(b"") * EMPTY_PARTS),
    "empty frames": lambda: bomb("zstd", zstd.compress(b"") * EMPTY_PARTS),
    "endless body": lambda: send_endlessly(HEAD + b"\r\n", b"x" * 65_536),
}

MEASURE_DOWNLOADS = """
import json, sys
from local.peak_memory import peak_megabytes
from upcall.domain.errors import ToolError
from upcall.web.download import download
from upcall.web.ssrf import exempt_hosts
harmless, hostile = sys.argv[1], json.loads(sys.argv[2])
results = {}
with exempt_hosts(["127.0.0.1:*"]):
    download(harmless)
    before = peak_megabytes()
    for name, url in hostile.items():
        try:
            download(url, timeout_seconds=10)
        except ToolError as error:
            results[name] = str(error), peak_megabytes() - before
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def measured_downloads() -> dict[str, tuple[str, int]]:
    """For each large response, the error and the megabytes that the process has grown by so far.

    All are downloaded in one new process. A harmless download comes first, so that what is loaded once does
    not count.
    """
    with ExitStack() as stack:
        harmless = stack.enter_context(
            raw_server(respond_with(http_response(b"hello", "Content-Encoding: identity")))
        )
        urls = {name: stack.enter_context(raw_server(serve())).url for name, serve in LARGE.items()}
        process = subprocess.run(
            [sys.executable, "-c", MEASURE_DOWNLOADS, harmless.url, json.dumps(urls)],
            env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    return {name: (error, growth) for name, (error, growth) in json.loads(process.stdout).items()}


@pytest.mark.parametrize("name", LARGE)
def test_a_large_response_does_not_fill_the_memory(
    measured_downloads: dict[str, tuple[str, int]], name: str
) -> None:
    error, growth = measured_downloads[name]

    assert error in {
        "the content is larger than 10,000,000 bytes",
        "the content is compressed in more than 10,000 members",
        "the server sent more than 10,000,000 bytes",
    }
    assert growth < 50
