"""Servers that drip, lie, flood and fall silent: one sentence, in time, in little memory."""

import gzip
import itertools
import socket
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterable

import brotli
import pytest
from backports import zstd
from support.raw_network import (
    RawServer,
    Serve,
    World,
    answer,
    at,
    raw_server,
    reset,
    says,
    silent,
)

from local.config import ROOT
from local.lambda_runtime import function_environment
from upcall.domain.errors import ToolError
from upcall.web.download import download

SECONDS = 1.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


def refusal(server: RawServer, url: str | None = None) -> str:
    """What is said of a server; it must be said by the deadline."""
    start = time.monotonic()
    with function_environment({"FETCH_LOCAL_HOSTS": f"{server.host},slow.test:443"}):
        with pytest.raises(ToolError) as caught:
            download(url or server.url, seconds=SECONDS)
    assert time.monotonic() - start < SECONDS + 1
    said = str(caught.value)
    assert len(said) < 300
    assert "\n" not in said
    return said


def drips(begin: bytes, drops: Iterable[bytes], every: float = 0.1) -> Serve:
    def serve(connection: socket.socket) -> None:
        connection.sendall(begin)
        for drop in drops:
            time.sleep(every)
            connection.sendall(drop)

    return serve


def floods(begin: bytes, flood: bytes) -> Serve:
    """Send without end, until the client goes away."""

    def serve(connection: socket.socket) -> None:
        connection.sendall(begin)
        while True:
            connection.sendall(flood)

    return serve


TOO_SLOW = {
    "never answers": silent,
    "drips its head": drips(b"HTTP/1.1 200 OK\r\n", itertools.repeat(b"X: y\r\n")),
    "drips its first line": drips(b"HTTP/1.1 200 ", itertools.repeat(b"O")),
    "drips its body": drips(HEAD + b"\r\n", itertools.repeat(b"x")),
    "drips its chunks": drips(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", itertools.repeat(b"1\r\nx\r\n")),
    "stops in the middle": drips(HEAD + b"Content-Length: 100\r\n\r\nhalf", [b""], every=5),
    "asks to go on for ever": drips(b"", itertools.repeat(b"HTTP/1.1 100 Continue\r\n\r\n"), every=0.01),
}


@pytest.mark.parametrize("serve", TOO_SLOW.values(), ids=TOO_SLOW)
def test_time_ends_at_the_deadline(serve: Serve) -> None:
    with raw_server(serve) as server:
        assert refusal(server) == "the server took longer than 1 seconds"


@pytest.mark.parametrize(
    "serve", [silent, drips(b"\x16\x03\x03\x40\x00", itertools.repeat(b"\x02"))], ids=["silent", "drips"]
)
def test_time_ends_during_the_handshake_too(world: World, serve: Serve) -> None:
    with raw_server(serve, reads=False) as server:
        world.resolve = lambda host, port: [at("127.0.0.1", server.port)]

        assert refusal(server, "https://slow.test/") == "the server took longer than 1 seconds"


def test_time_ends_while_the_name_is_looked_up(world: World) -> None:
    def resolve(host: str, port: int) -> list[object]:
        time.sleep(5)
        return []

    world.resolve = resolve  # type: ignore[assignment]
    start = time.monotonic()
    with pytest.raises(ToolError, match="the host slow.test could not be looked up in time"):
        download("http://slow.test/", seconds=SECONDS)
    assert time.monotonic() - start < SECONDS + 1


TOO_MUCH = {
    "a body without end": floods(HEAD + b"\r\n", b"x" * 65_536),
    "a body of ten gigabytes": floods(HEAD + b"Content-Length: 10000000000\r\n\r\n", b"x" * 65_536),
    "chunks without end": floods(
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    ),
}


@pytest.mark.parametrize("serve", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_flood_is_left_at_ten_megabytes(serve: Serve) -> None:
    with raw_server(serve) as server:
        assert "10,000,000 bytes" in refusal(server)


BROKEN = {
    "closes at once": says(b""),
    "closes in its head": says(b"HTTP/1.1 200 OK\r\nContent-"),
    "closes in its body": says(HEAD + b"Content-Length: 100\r\n\r\nhalf"),
    "closes in a chunk": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n10\r\nhalf"),
    "resets": reset,
    "says garbage": says(b"\x00\xff\x00\xff" * 100 + b"\r\n\r\n"),
    "says HTTP/0.9": says(b"<p>hello</p>"),
    "says FTP": says(b"220 Welcome\r\n"),
    "says a length that is none": says(HEAD + b"Content-Length: many\r\n\r\nx"),
    "says a negative length": says(HEAD + b"Content-Length: -1\r\n\r\nx"),
    "says two lengths": says(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
    "says chunks that are none": says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nmany\r\nx"),
    "says an unknown transfer": says(HEAD + b"Transfer-Encoding: pigeons\r\n\r\nx"),
    "says a head without end": floods(b"HTTP/1.1 200 OK\r\n", b"X: " + b"y" * 1000 + b"\r\n"),
    "says a line without end": floods(b"HTTP/1.1 200 ", b"OK" * 1000),
    "switches the protocol": says(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"),
}


@pytest.mark.parametrize("serve", BROKEN.values(), ids=BROKEN)
def test_what_is_not_http_is_said_in_a_sentence(serve: Serve) -> None:
    with raw_server(serve) as server:
        said = refusal(server)

    assert said.startswith(
        ("the server's answer is not good HTTP: ", "the connection was lost: ", "the server answered ")
    )
    assert "bytearray" not in said


def test_what_comes_after_the_stated_length_is_not_read() -> None:
    with raw_server(says(answer(b"hello") + b"HTTP/1.1 200 OK\r\n\r\nmore")) as server:
        with function_environment({"FETCH_LOCAL_HOSTS": server.host}):
            assert download(server.url).body == b"hello"


def raw_deflate(data: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-15)
    return stream.compress(data) + stream.flush()


ZEROS = bytes(300_000_000)
BOMBS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", raw_deflate),
    "br": ("br", lambda data: brotli.compress(data, quality=1)),
    "zstd": ("zstd", zstd.compress),
    "gzip in gzip": ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "zstd in br": ("zstd, br", lambda data: brotli.compress(zstd.compress(data), quality=1)),
    "empty members": ("gzip", lambda _: gzip.compress(b"") * 400_000),
    "empty frames": ("zstd", lambda _: zstd.compress(b"") * 400_000),
}

MEASURED = """
import sys
from local.memory import peak_megabytes
from upcall.errors import ToolError
from upcall.web.download import download
harmless, hostile = sys.argv[1:]
download(harmless)
before = peak_megabytes()
try:
    download(hostile, seconds=10)
except ToolError as error:
    print(error)
print(peak_megabytes() - before)
"""


def measured(hostile: Serve) -> tuple[str, int]:
    """What a process says of a server, and how many megabytes it grew by, once it was warm."""
    with (
        raw_server(says(answer(b"hello", "Content-Encoding: identity"))) as harmless,
        raw_server(hostile) as server,
    ):
        done = subprocess.run(
            [sys.executable, "-c", MEASURED, harmless.url, server.url],
            env={
                "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
                "FETCH_LOCAL_HOSTS": f"{harmless.host},{server.host}",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    said, grown = done.stdout.strip().splitlines()
    return said, int(grown)


@pytest.mark.parametrize(("encoding", "compress"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_no_memory(encoding: str, compress: Callable[[bytes], bytes]) -> None:
    said, grown = measured(says(answer(compress(ZEROS), f"Content-Encoding: {encoding}")))

    assert said in {
        "the content is larger than 10,000,000 bytes",
        "the content is compressed in more than 10,000 parts",
    }
    assert grown < 50


def test_a_stream_without_end_takes_no_memory() -> None:
    said, grown = measured(floods(HEAD + b"\r\n", b"x" * 65_536))

    assert "10,000,000 bytes" in said
    assert grown < 50
