"""Pages that lead to another page by themselves: `<meta http-equiv="refresh">`, or the header Refresh."""

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

MAX_CHARACTERS: Final = 5000
"""Of the content of a refresh."""

HEAD_BYTES: Final = 65_536
"""Of a page, in which a refresh is looked for."""

_HTML_TYPES: Final = ("", "text/html", "application/xhtml+xml")
_REFRESH: Final = re.compile(r"\s*(?P<seconds>\d+|(?=\.))[\d.]*(?P<rest>.*)", re.DOTALL)
_REFRESH_URL: Final = re.compile(r"(?:\s*[;,]|\s)\s*(?P<url>.+)", re.DOTALL)
_URL_PREFIX: Final = re.compile(r"url\s*=\s*", re.IGNORECASE)
_META: Final = re.compile(rb"http-equiv\s{0,20}=\s{0,20}[\"']?\s{0,20}refresh", re.IGNORECASE)
"""Bounded, because each unbounded run of blanks is searched again from each of its blanks."""


@dataclass(frozen=True)
class Refresh:
    """A page that leads to another one, or to itself, after some seconds.

    `url` is as written, or absolute; "" is the page itself.
    """

    seconds: int
    url: str


def parse_refresh(content: str) -> Refresh | None:
    """The content of `<meta http-equiv="refresh">`, or of the header Refresh, as browsers read it.

    https://html.spec.whatwg.org/multipage/semantics.html#attr-meta-http-equiv-refresh
    """
    if len(content) > MAX_CHARACTERS or not (found := _REFRESH.match(content)):
        return None
    seconds = int(found["seconds"][:6] or "0")
    rest = found["rest"].strip()
    if not rest:
        return Refresh(seconds, "")
    following = _REFRESH_URL.fullmatch(found["rest"])
    if following is None:
        return None if rest not in (";", ",") else Refresh(seconds, "")
    url = following["url"].lstrip(";, \t\r\n")
    if prefix := _URL_PREFIX.match(url):
        url = url[prefix.end() :]
    if url[:1] in ("'", '"'):
        url = url[1:].partition(url[0])[0]
    return Refresh(seconds, url.strip())


def find_refresh(body: bytes, media_type: str, url: str, header: str = "") -> Refresh | None:
    """The refresh of the page at `url`, with an absolute http or https URL; None if it has none.

    `header` is the header Refresh of the response, which counts first.
    """
    refresh, base = parse_refresh(header), url
    if refresh is None:
        head = body[:HEAD_BYTES]
        if media_type not in _HTML_TYPES or not _META.search(head):
            return None
        from upcall.documents.outline import read_outline  # loads lxml

        page = read_outline(head.decode("utf-8", "replace"), url)
        refresh, base = page.refresh, page.base
    if refresh is None:
        return None
    try:
        target = urljoin(base, refresh.url) if refresh.url else url
    except ValueError:
        return None
    return Refresh(refresh.seconds, target) if target.startswith(("http://", "https://")) else None
