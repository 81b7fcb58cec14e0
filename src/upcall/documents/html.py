"""The main text of an HTML page, with its title and links.

trafilatura finds the main text. Some of its steps take quadratic time, so a page that is too large or too
unusual for it is parsed as a stream instead, in one pass and without a tree.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Final
from urllib.parse import urljoin

import trafilatura
from lxml import etree
from lxml.html import HtmlElement

from upcall.documents.document import Document, Link
from upcall.documents.html_stream import extract_whole_text, has_oversized_tag
from upcall.documents.limits import LimitExceeded, time_limit
from upcall.documents.outline import base_url

MAX_CHARACTERS: Final = 3_000_000
MAX_TAGS: Final = 50_000
"""Within these two, trafilatura reads real pages in two seconds; the largest has 31,000 tags."""

MAX_COMPARED_TAGS: Final = 15_000
"""Beyond, trafilatura's comparison with other extractors takes longer than it is worth."""

MIN_OVERSIZED_TAG_CHARACTERS: Final = 100_000
"""Smaller pages have no room for a tag with so many attributes that parsing it takes minutes."""

MAX_LINKS: Final = 300
MAX_LINK_TEXT: Final = 200
MAX_LINK_URL: Final = 1000
MAX_TITLE: Final = 500

MAX_TREE_SECONDS: Final = 7.0
"""For trafilatura. The rest of the worker's time is for reading the page as a stream instead."""

_MAX_ATTRIBUTES: Final = 200
"""Of one tag. trafilatura takes quadratic time for more, and no text is in attributes."""

_MAX_JSON_LD_STEPS: Final = 100_000_000
"""Characters times types in a JSON-LD script: about the steps of trafilatura's search in it."""


def read_html(text: str, url: str, needed_characters: int = sys.maxsize) -> Document:
    """The document in an HTML text; `url` is what its links are relative to.

    A text without links may stop after `needed_characters`.
    """
    text = text.replace("\x00", "")  # as browsers do; the parser makes a piece of text of each
    tags = text.count("<")
    if len(text) > MAX_CHARACTERS or tags > MAX_TAGS:
        return extract_whole_text(text, needed_characters)
    if len(text) > MIN_OVERSIZED_TAG_CHARACTERS and has_oversized_tag(text):
        return extract_whole_text(text, needed_characters)
    document = Document("")
    # an unusual tree may cause errors of any kind; in an `except`, it would stay in memory
    with suppress(Exception, LimitExceeded), time_limit(MAX_TREE_SECONDS):
        document = _read_tree(text, tags, url)
    if document.text:
        return document
    whole = extract_whole_text(text, needed_characters)
    return replace(document, text=whole.text, title=document.title or whole.title)


def _read_tree(text: str, tags: int, url: str) -> Document:
    """The document, by trafilatura. Its text is empty if there is no main text, or no tree."""
    tree = trafilatura.load_html(text)
    if tree is None:
        return Document("")
    _remove_expensive_parts(tree)
    main_text = trafilatura.extract(tree, include_comments=False, fast=tags > MAX_COMPARED_TAGS)
    main_text = main_text or trafilatura.html2txt(tree)
    return Document(main_text, _title(tree), tuple(_links(tree, url)))


def _remove_expensive_parts(tree: HtmlElement) -> None:
    """Remove what takes trafilatura much time or memory. None of it is visible text.

    In one pass: XPath's `//` takes quadratic time for some trees.
    """
    for element in tree.iter(etree.Element):
        if len(element.attrib) >= _MAX_ATTRIBUTES:
            element.attrib.clear()
        element.attrib.pop("colspan", None)
        element.attrib.pop("rowspan", None)
        if element.tag == "script" and element.get("type") == "application/ld+json":
            data = element.text or ""
            if len(data) * data.count('"@type"') > _MAX_JSON_LD_STEPS:
                element.text = None


def _title(tree: HtmlElement) -> str | None:
    titles = (" ".join(each.split()) for each in _titles(tree))
    return next((title[:MAX_TITLE] for title in titles if title), None)


def _titles(tree: HtmlElement) -> Iterator[str]:
    """What the page says for previews, the titles of its head, its headings."""
    for element in tree.iter("meta"):
        if element.get("property") == "og:title":
            yield element.get("content", "")
    for element in tree.iter("title"):
        parent = element.getparent()
        if parent is not None and parent.tag == "head":
            yield _text(element)
    for element in tree.iter("h1"):
        yield _text(element)


def _text(element: HtmlElement) -> str:
    return "".join(islice(element.itertext(), MAX_TITLE))


def _links(tree: HtmlElement, url: str) -> Iterator[Link]:
    """Links to other pages, each once, in the order of the page."""
    seen = {url}
    base = base_url(
        next((each.get("href") for each in tree.iter("base") if "href" in each.attrib), None), url
    )
    for element in tree.iter("a"):
        text = " ".join(element.text_content().split())
        try:
            target = urljoin(base, element.get("href", "").strip()).partition("#")[0]
        except ValueError:
            continue
        if not text or len(text) > MAX_LINK_TEXT or len(target) > MAX_LINK_URL or target in seen:
            continue
        if target.startswith(("http://", "https://")):
            seen.add(target)
            yield Link(text, target)
            if len(seen) > MAX_LINKS:
                return
