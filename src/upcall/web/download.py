"""Download a URL: checked addresses, at most five redirects, limited time and size."""

from contextlib import closing
from dataclasses import dataclass

import httpcore
import httpx

from upcall.documents.content_encoding import ENCODINGS
from upcall.documents.find_refresh import find_refresh
from upcall.domain.errors import ToolError
from upcall.web.cookies import DownloadCookies
from upcall.web.page_response import MAX_BYTES, Download, read_page
from upcall.web.transport import GuardedTransport, TransferBudget
from upcall.web.urls import parse_url

__all__ = ["MAX_BYTES", "MAX_REDIRECTS", "MAX_REFRESH_SECONDS", "Download", "download"]

MAX_REDIRECTS = 5
"""Of both kinds, by the server and by a page."""

MAX_REFRESH_SECONDS = 10
"""A page that leads to another one later is a page to read."""

TIMEOUT_SECONDS = 20.0
"""For everything: DNS, connections, redirects, reading. Shorter than the function's own time-out."""

MAX_QUOTED_CHARACTERS = 200
"""Of a text from the server in a message to the model."""

HEADERS = {
    "User-Agent": "upcall/0.1 (reads one page on behalf of a language model)",
    "Accept": (
        "text/html, application/xhtml+xml, application/pdf, application/json, text/plain;q=0.9, */*;q=0.1"
    ),
    "Accept-Encoding": ", ".join(ENCODINGS),
}


@dataclass(frozen=True)
class _Response:
    """A page, or where to go on, or both: a page that leads to another one after some seconds."""

    page: Download | None
    target: httpx.URL | None = None


def download(url: str, *, timeout_seconds: float = TIMEOUT_SECONDS) -> Download:
    """GET a URL. Raises ToolError, with a message for the model, for anything but a readable page.

    Redirects are followed, and so are pages that lead to another one by themselves (`http-equiv="refresh"`).
    Cookies are kept until the download ends. A page that is shown for some seconds first is what is returned
    if the one that it leads to cannot be read.
    """
    budget = TransferBudget(timeout_seconds, MAX_BYTES)
    target = parse_url(url)
    cookies = DownloadCookies()
    shown: Download | None = None
    # httpx.Client is not used: it follows redirects by its own rules
    with GuardedTransport(budget) as transport:
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                response = _get(transport, target, budget, cookies)
            except ToolError as error:
                if shown:
                    return shown
                if redirects:
                    raise ToolError(f"{error} (after a redirect to {_truncate(str(target))})") from error
                raise
            shown = response.page or shown
            if response.target is None:
                break
            target = response.target
        else:
            if shown is None:
                raise ToolError(f"the server redirects more than {MAX_REDIRECTS} times")
    assert shown is not None  # noqa: S101  # a response has a page or a target
    return shown


def _get(
    transport: GuardedTransport, url: httpx.URL, budget: TransferBudget, cookies: DownloadCookies
) -> _Response:
    """The response to a GET."""
    # set Host here: httpx would decode an international name for it, and fails if IDNA forbids the name
    request = httpx.Request("GET", url, headers={"Host": url.netloc.decode("ascii"), **HEADERS})
    cookies.add_to(request)
    try:
        with closing(transport.handle_request(request)) as response:
            changed = cookies.store(response, request)
            if response.has_redirect_location:
                return _Response(None, _parse_redirect(response.headers["location"], url))
            page = read_page(url, response, budget)
            return _follow_refresh(page, response.headers.get("refresh", ""), cookies_changed=changed)
    except (httpcore.ProtocolError, httpcore.UnsupportedProtocol) as error:
        reason = str(error).partition(": bytearray(")[0]  # the rest is what the server sent
        raise ToolError(f"the server's response is not valid HTTP: {_truncate(reason)}") from error


def _parse_redirect(location: str, base: httpx.URL) -> httpx.URL:
    try:
        return parse_url(location, base)
    except ToolError as error:
        raise ToolError(f"the server's redirect cannot be followed: {error}") from error


def _follow_refresh(page: Download, header: str, *, cookies_changed: bool) -> _Response:
    """The page, or where it leads to by itself.

    A page that loads itself anew is followed only if it has set a cookie, without which it may show nothing.
    """
    found = find_refresh(page.body, page.media_type, page.url, header)
    if found is None or found.seconds > MAX_REFRESH_SECONDS:
        return _Response(page)
    try:
        target = parse_url(found.url)
    except ToolError as error:
        if found.seconds:
            return _Response(page)
        raise ToolError(f"the page leads to a URL that cannot be fetched: {error}") from error
    if str(target) == page.url and not cookies_changed:
        return _Response(page)
    return _Response(page if found.seconds else None, target)


def _truncate(text: str) -> str:
    """A text from the server, short enough for a message."""
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}…"
