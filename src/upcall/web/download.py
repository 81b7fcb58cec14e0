"""One bounded download: a checked address, one deadline, a cap on the bytes.

httpx sends the request; the bytes are taken raw and decompressed here, because an HTTP client's
time-out is per read and its decompression has no bound.
"""

import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from upcall.errors import ToolError
from upcall.web.addresses import reachable_address

if TYPE_CHECKING:
    import httpx

MAX_BYTES = 10_000_000
"""Of the body, both as it comes off the wire and decompressed."""

MAX_REDIRECTS = 5

DEADLINE_SECONDS = 20.0
"""For everything: all redirects, all reading. Below the function's own time-out."""

HEADERS = {
    "User-Agent": "upcall/0.1 (reads one page on behalf of a language model)",
    "Accept": "text/html, application/xhtml+xml, application/json, text/plain;q=0.9, */*;q=0.1",
    "Accept-Encoding": "gzip, deflate",
}

_WINDOW_BITS = {
    "gzip": 16 + zlib.MAX_WBITS,
    "x-gzip": 16 + zlib.MAX_WBITS,
    "deflate": zlib.MAX_WBITS,
}


@dataclass(frozen=True)
class Download:
    """What a server answered in the end: address after all redirects, media type, charset, body."""

    url: str
    media_type: str
    charset: str | None
    body: bytes


def download(url: str) -> Download:
    """GET a URL. Raises ToolError, in a sentence for the model, for anything but a good answer."""
    import httpx

    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        with httpx.Client(trust_env=False) as client:
            for _ in range(MAX_REDIRECTS + 1):
                request = _request(client, url, deadline)
                response = client.send(request, stream=True)
                try:
                    if "location" not in response.headers or not response.is_redirect:
                        return _taken(url, response, deadline)
                finally:
                    response.close()
                url = str(httpx.URL(url).join(response.headers["location"]))
    except httpx.InvalidURL as error:
        raise ToolError(f"{url!r} is not a URL: {error}") from None
    except httpx.TimeoutException:
        raise ToolError(f"{url} did not answer in time") from None
    except httpx.HTTPError as error:
        raise ToolError(f"{url} could not be fetched: {error}") from error
    raise ToolError(f"{url} was redirected more than {MAX_REDIRECTS} times")


def _request(client: "httpx.Client", url: str, deadline: float) -> "httpx.Request":
    """A request that connects to the checked address, with the name for Host, SNI and certificate."""
    import httpx

    target = httpx.URL(url)
    if target.scheme not in ("http", "https"):
        raise ToolError(f"{url!r} is not an http or https URL")
    if not target.host:
        raise ToolError(f"{url!r} names no host")
    if target.userinfo:
        raise ToolError("a URL must not hold a user name or a password")
    host = target.raw_host.decode().strip("[]")
    port = target.port or {"http": 80, "https": 443}[target.scheme]
    address = reachable_address(host, port)
    return client.build_request(
        "GET",
        target.copy_with(host=address, fragment=None),
        headers={**HEADERS, "Host": target.netloc.decode()},
        extensions={"sni_hostname": host},
        timeout=_left(deadline, url),
    )


def _taken(url: str, response: "httpx.Response", deadline: float) -> Download:
    if response.status_code != 200:
        raise ToolError(f"{url} answered {response.status_code} {response.reason_phrase}".rstrip())
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = b"".join(_decoded(url, response, deadline))
    return Download(url, media_type, response.charset_encoding, body)


def _decoded(url: str, response: "httpx.Response", deadline: float) -> Iterator[bytes]:
    """The body, decompressed, as long as neither form exceeds MAX_BYTES nor time is up."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", *_WINDOW_BITS):
        raise ToolError(f"{url} is encoded as {encoding}, which cannot be read")
    bits = _WINDOW_BITS.get(encoding)
    inflate = zlib.decompressobj(bits) if bits else None
    wire = taken = 0
    for chunk in response.iter_raw():
        _left(deadline, url)
        wire += len(chunk)
        try:
            piece = inflate.decompress(chunk, MAX_BYTES - taken + 1) if inflate else chunk
        except zlib.error:
            raise ToolError(f"{url} sent damaged {encoding} data") from None
        taken += len(piece)
        if max(wire, taken) > MAX_BYTES:
            raise ToolError(f"{url} is larger than {MAX_BYTES:,} bytes")
        yield piece


def _left(deadline: float, url: str) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise ToolError(f"{url} took longer than {DEADLINE_SECONDS:g} seconds")
    return left
