"""Finds out whether a page leads to another page by itself."""

import re
from typing import Final
from urllib.parse import urljoin

from upcall.documents.refresh import Refresh, parse_refresh

HEAD_BYTES: Final = 65_536
"""Of a page, in which a refresh is looked for."""

_HTML_TYPES: Final = ("", "text/html", "application/xhtml+xml")
_META: Final = re.compile(rb"http-equiv\s{0,20}=\s{0,20}[\"']?\s{0,20}refresh", re.IGNORECASE)
"""Bounded, because each unbounded run of blanks is searched again from each of its blanks."""


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
