"""The main text of an HTML page, with its title and links, whatever the page is made of.

trafilatura finds the main text. Some of what it does takes the square of a page's size, so a page that
is too large or too odd for it is read as a stream instead, in one pass and without a tree.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

import trafilatura
from lxml.etree import XPath
from lxml.html import HtmlElement

from upcall.documents.document import Document, Link
from upcall.documents.html_stream import has_endless_tag, whole_text

MAX_CHARACTERS: Final = 3_000_000
MAX_TAGS: Final = 50_000
"""Up to here trafilatura stays below some 300 MB and two seconds on every shape of page that was tried;
the largest real page among them has 31,000 tags."""

THOROUGH_TAGS: Final = 15_000
"""Beyond, trafilatura's comparison with other extractors takes longer than it is worth."""

SUSPICIOUS_CHARACTERS: Final = 100_000
"""Smaller pages have no room for a tag with so many attributes that parsing it takes minutes."""

MAX_LINKS: Final = 300
MAX_LINK_TEXT: Final = 200
MAX_LINK_URL: Final = 1000

_TITLES: Final = (
    XPath("//meta[@property='og:title']/@content"),
    XPath("//head/title//text()"),
    XPath("//h1//text()"),
)
_MANY_ATTRIBUTES: Final = XPath("//*[@*[200]]")
_SPANNING: Final = XPath("//*[@colspan or @rowspan]")
_LINKED_DATA: Final = XPath("//script[@type='application/ld+json']")
_MAX_LINKED_DATA: Final = 100_000_000
"""Characters times types in a script of JSON-LD: about what trafilatura's search in it takes steps."""


def html(text: str, url: str) -> Document:
    """The document in an HTML text; `url` is what its links are relative to."""
    tags = text.count("<")
    if len(text) > MAX_CHARACTERS or tags > MAX_TAGS:
        return whole_text(text)
    if len(text) > SUSPICIOUS_CHARACTERS and has_endless_tag(text):
        return whole_text(text)
    tree = trafilatura.load_html(text)
    if tree is None:
        return whole_text(text)
    _disarm(tree)
    main = trafilatura.extract(tree, include_comments=False, fast=tags > THOROUGH_TAGS)
    found = main or trafilatura.html2txt(tree) or whole_text(text).text
    return Document(found, _title(tree), tuple(_links(tree, url)))


def _disarm(tree: HtmlElement) -> None:
    """Take out what makes a small page large: it says nothing to a reader."""
    for element in _MANY_ATTRIBUTES(tree):
        element.attrib.clear()
    for cell in _SPANNING(tree):
        cell.attrib.pop("colspan", None)
        cell.attrib.pop("rowspan", None)
    for script in _LINKED_DATA(tree):
        data = script.text or ""
        if len(data) * data.count('"@type"') > _MAX_LINKED_DATA:
            script.text = None


def _title(tree: HtmlElement) -> str | None:
    for path in _TITLES:
        if title := " ".join(" ".join(path(tree)).split()):
            return title[:500]
    return None


def _links(tree: HtmlElement, url: str) -> Iterator[Link]:
    """Links to other pages, each once, in the order of the page."""
    seen = {url}
    for element in tree.iter("a"):
        text = " ".join(element.text_content().split())
        try:
            there = urljoin(url, element.get("href", "").strip()).partition("#")[0]
        except ValueError:
            continue
        if not text or len(text) > MAX_LINK_TEXT or len(there) > MAX_LINK_URL or there in seen:
            continue
        if there.startswith(("http://", "https://")):
            seen.add(there)
            yield Link(text, there)
            if len(seen) > MAX_LINKS:
                return
