"""Download a URL: checked addresses, at most five redirects, limited time and size."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import httpcore
import httpx

from upcall.documents.content_encoding import ENCODINGS, check_encoding_count, decode
from upcall.domain.errors import ToolError
from upcall.web.transport import GuardedTransport, TransferBudget
from upcall.web.urls import parse_url

MAX_BYTES = 10_000_000
"""Of everything that is received, and of the body after each step of decompression."""

MAX_REDIRECTS = 5

TIMEOUT_SECONDS = 20.0
"""For everything: DNS, connections, redirects, reading. Shorter than the function's own time-out."""

MAX_QUOTED_CHARACTERS = 200
"""Of a text from the server in a message to the model."""

_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:+-]{1,40})""", re.ASCII | re.IGNORECASE)
"""In a Content-Type. The standard library's parser takes seconds for some values, and fails on others."""

HEADERS = {
    "User-Agent": "upcall/0.1 (reads one page on behalf of a language model)",
    "Accept": (
        "text/html, application/xhtml+xml, application/pdf, application/json, text/plain;q=0.9, */*;q=0.1"
    ),
    "Accept-Encoding": ", ".join(ENCODINGS),
}


@dataclass(frozen=True)
class Download:
    """The final response: its URL after all redirects, media type, charset and decoded body."""

    url: str
    media_type: str
    charset: str | None
    body: bytes


def download(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Download:
    """GET a URL. Raises ToolError, with a message for the model, for anything but a readable 200 response."""
    budget = TransferBudget(timeout_seconds, MAX_BYTES)
    target = parse_url(url)
    # httpx.Client is not used: it keeps cookies and follows redirects by its own rules
    with GuardedTransport(budget) as transport:
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                result = _get(transport, target, budget)
            except ToolError as error:
                if redirects:
                    raise ToolError(f"{error} (after a redirect to {_truncate(str(target))})") from error
                raise
            if isinstance(result, Download):
                return result
            target = result
    raise ToolError(f"the server redirects more than {MAX_REDIRECTS} times")


def _get(transport: GuardedTransport, url: httpx.URL, budget: TransferBudget) -> Download | httpx.URL:
    """The response to a GET, or the URL that it redirects to."""
    # set Host here: httpx would decode an international name for it, and fails if IDNA forbids the name
    request = httpx.Request("GET", url, headers={"Host": url.netloc.decode("ascii"), **HEADERS})
    try:
        with closing(transport.handle_request(request)) as response:
            if response.has_redirect_location:
                return _parse_redirect(response.headers["location"], url)
            return _read_response(url, response, budget)
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        reason = str(error).partition(": bytearray(")[0]  # the rest is what the server sent
        raise ToolError(f"the server's response is not valid HTTP: {_truncate(reason)}") from error


def _parse_redirect(location: str, base: httpx.URL) -> httpx.URL:
    try:
        return parse_url(location, base)
    except ToolError as error:
        raise ToolError(f"the server's redirect cannot be followed: {error}") from error


def _read_response(url: httpx.URL, response: httpx.Response, budget: TransferBudget) -> Download:
    if response.status_code != 200:
        status = _truncate(f"{response.status_code} {response.reason_phrase}".rstrip())
        raise ToolError(f"the server returned {status}")
    content_type = response.headers.get("content-type", "")
    charset = _CHARSET.search(content_type)
    body = bytearray()
    for chunk in _decoded_chunks(response, budget):
        body += chunk
    return Download(
        url=str(url),
        media_type=_truncate(content_type.partition(";")[0].strip().lower()),
        charset=charset and charset[1].lower(),
        body=bytes(body),
    )


def _decoded_chunks(response: httpx.Response, budget: TransferBudget) -> Iterator[bytes]:
    """The body without its content encodings.

    The deadline is checked between the encodings, too: a few bytes can decompress to millions of empty
    members, which take long to read and yield nothing.
    """
    encodings = response.headers.get_list("content-encoding", split_commas=True)
    check_encoding_count(encodings)
    chunks = response.iter_raw()
    for encoding in reversed(encodings):
        chunks = decode(_until_deadline(chunks, budget), [encoding], MAX_BYTES)
    return _until_deadline(chunks, budget)


def _until_deadline(chunks: Iterator[bytes], budget: TransferBudget) -> Iterator[bytes]:
    for chunk in chunks:
        budget.seconds_left()
        yield chunk


def _truncate(text: str) -> str:
    """A text from the server, short enough for a message."""
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}…"
