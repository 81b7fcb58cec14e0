"""One bounded download: a checked URL, at most five redirects, a body that is read within its bounds."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import httpcore
import httpx

from upcall.documents.content_encoding import ENCODINGS, MAX_ENCODINGS, decoded
from upcall.domain.errors import ToolError
from upcall.web.transport import Allowance, Transport
from upcall.web.urls import checked_url

MAX_BYTES = 10_000_000
"""Of everything that comes off the wire, and of the body after each step of decompression."""

MAX_REDIRECTS = 5

DEADLINE_SECONDS = 20.0
"""For everything: names, connections, redirects, reading. Below the function's own time-out."""

MAX_WORDS = 200
"""Characters of a server's own words in what the model is told."""

_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:+-]{1,40})""", re.ASCII | re.IGNORECASE)
"""In a Content-Type. The standard library's parser takes seconds for some, and fails with others."""

HEADERS = {
    "User-Agent": "upcall/0.1 (reads one page on behalf of a language model)",
    "Accept": (
        "text/html, application/xhtml+xml, application/pdf, application/json, text/plain;q=0.9, */*;q=0.1"
    ),
    "Accept-Encoding": ", ".join(ENCODINGS),
}


@dataclass(frozen=True)
class Download:
    """What a server answered in the end: address after all redirects, media type, charset, body."""

    url: str
    media_type: str
    charset: str | None
    body: bytes


def download(url: str, *, seconds: float = DEADLINE_SECONDS) -> Download:
    """GET a URL. Raises ToolError, in a sentence for the model, for anything but a good answer."""
    allowance = Allowance(seconds, MAX_BYTES)
    target = checked_url(url)
    with Transport(allowance) as transport:  # no client: it keeps cookies, and has its own ideas of redirects
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                answer = _answer(transport, target, allowance)
            except ToolError as error:
                if redirects:
                    raise ToolError(f"{error} (after a redirect to {_short(str(target))})") from error
                raise
            if isinstance(answer, Download):
                return answer
            target = answer
    raise ToolError(f"the server redirects more than {MAX_REDIRECTS} times")


def _answer(transport: Transport, url: httpx.URL, allowance: Allowance) -> Download | httpx.URL:
    """What a server has at a URL, or where else it says to look."""
    # Host is named here, because httpx would decode the name for it, and fails where IDNA does not allow it
    request = httpx.Request("GET", url, headers={"Host": url.netloc.decode("ascii"), **HEADERS})
    try:
        with closing(transport.handle_request(request)) as response:
            if response.has_redirect_location:
                return _led_to(response.headers["location"], url)
            return _taken(url, response, allowance)
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        reason = str(error).partition(": bytearray(")[0]  # which is what the server sent
        raise ToolError(f"the server's answer is not good HTTP: {_short(reason)}") from error


def _led_to(location: str, base: httpx.URL) -> httpx.URL:
    try:
        return checked_url(location, base)
    except ToolError as error:
        raise ToolError(f"the server's redirect cannot be followed: {error}") from error


def _taken(url: httpx.URL, response: httpx.Response, allowance: Allowance) -> Download:
    if response.status_code != 200:
        words = _short(f"{response.status_code} {response.reason_phrase}".rstrip())
        raise ToolError(f"the server answered {words}")
    content_type = response.headers.get("content-type", "")
    charset = _CHARSET.search(content_type)
    body = bytearray()
    for piece in _content(response, allowance):
        body += piece
    return Download(
        url=str(url),
        media_type=_short(content_type.partition(";")[0].strip().lower()),
        charset=charset and charset[1].lower(),
        body=bytes(body),
    )


def _content(response: httpx.Response, allowance: Allowance) -> Iterator[bytes]:
    """The body without its encodings.

    The time is looked at between them, too: a few bytes can unfold into millions of empty members, which
    take long to read and give nothing.
    """
    encodings = response.headers.get_list("content-encoding", split_commas=True)
    if len(encodings) > MAX_ENCODINGS:
        raise ToolError(f"the content is encoded {len(encodings)} times over, which cannot be read")
    content = response.iter_raw()
    for encoding in reversed(encodings):
        content = decoded(_in_time(content, allowance), [encoding], MAX_BYTES)
    return _in_time(content, allowance)


def _in_time(pieces: Iterator[bytes], allowance: Allowance) -> Iterator[bytes]:
    for piece in pieces:
        allowance.seconds_left()
        yield piece


def _short(words: str) -> str:
    """A stranger's words, as far as they are needed in a sentence."""
    return words if len(words) <= MAX_WORDS else f"{words[:MAX_WORDS]}…"
