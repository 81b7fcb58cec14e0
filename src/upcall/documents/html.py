"""The main text of an HTML page, with its title and links.

trafilatura finds the main text. Some of its steps take quadratic time, so a page that is too large or too
unusual for it is parsed as a stream instead, in one pass and without a tree.
"""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urljoin

import trafilatura
from lxml.etree import XPath
from lxml.html import HtmlElement

from upcall.documents.document import Document, Link
from upcall.documents.html_stream import extract_whole_text, has_oversized_tag

MAX_CHARACTERS: Final = 3_000_000
MAX_TAGS: Final = 50_000
"""Within these two, trafilatura took at most about 300 MB and two seconds on every page that was tried. The
largest real page among them has 31,000 tags."""

MAX_COMPARED_TAGS: Final = 15_000
"""Beyond, trafilatura's comparison with other extractors takes longer than it is worth."""

MIN_OVERSIZED_TAG_CHARACTERS: Final = 100_000
"""Smaller pages have no room for a tag with so many attributes that parsing it takes minutes."""

MAX_LINKS: Final = 300
MAX_LINK_TEXT: Final = 200
MAX_LINK_URL: Final = 1000
MAX_TITLE: Final = 500

_TITLES: Final = (
    XPath("//meta[@property='og:title']/@content"),
    XPath("//head/title//text()"),
    XPath("//h1//text()"),
)
_MANY_ATTRIBUTES: Final = XPath("//*[@*[200]]")
_SPANNING_CELLS: Final = XPath("//*[@colspan or @rowspan]")
_JSON_LD: Final = XPath("//script[@type='application/ld+json']")
_MAX_JSON_LD_STEPS: Final = 100_000_000
"""Characters times types in a JSON-LD script: about the steps of trafilatura's search in it."""


def read_html(text: str, url: str) -> Document:
    """The document in an HTML text; `url` is what its links are relative to."""
    tags = text.count("<")
    if len(text) > MAX_CHARACTERS or tags > MAX_TAGS:
        return extract_whole_text(text)
    if len(text) > MIN_OVERSIZED_TAG_CHARACTERS and has_oversized_tag(text):
        return extract_whole_text(text)
    tree = trafilatura.load_html(text)
    if tree is None:
        return extract_whole_text(text)
    _remove_expensive_parts(tree)
    main_text = trafilatura.extract(tree, include_comments=False, fast=tags > MAX_COMPARED_TAGS)
    main_text = main_text or trafilatura.html2txt(tree) or extract_whole_text(text).text
    return Document(main_text, _title(tree), tuple(_links(tree, url)))


def _remove_expensive_parts(tree: HtmlElement) -> None:
    """Remove what takes trafilatura much time or memory. None of it is visible text."""
    for element in _MANY_ATTRIBUTES(tree):
        element.attrib.clear()
    for cell in _SPANNING_CELLS(tree):
        cell.attrib.pop("colspan", None)
        cell.attrib.pop("rowspan", None)
    for script in _JSON_LD(tree):
        data = script.text or ""
        if len(data) * data.count('"@type"') > _MAX_JSON_LD_STEPS:
            script.text = None


def _title(tree: HtmlElement) -> str | None:
    for path in _TITLES:
        if title := " ".join(" ".join(path(tree)).split()):
            return title[:MAX_TITLE]
    return None


def _links(tree: HtmlElement, url: str) -> Iterator[Link]:
    """Links to other pages, each once, in the order of the page."""
    seen = {url}
    for element in tree.iter("a"):
        text = " ".join(element.text_content().split())
        try:
            target = urljoin(url, element.get("href", "").strip()).partition("#")[0]
        except ValueError:
            continue
        if not text or len(text) > MAX_LINK_TEXT or len(target) > MAX_LINK_URL or target in seen:
            continue
        if target.startswith(("http://", "https://")):
            seen.add(target)
            yield Link(text, target)
            if len(seen) > MAX_LINKS:
                return
