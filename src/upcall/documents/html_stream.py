"""The whole text of an HTML page in one pass: no tree, and no more memory than the text itself."""

import io
import re
import sys
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from upcall.documents.document import Document
from upcall.documents.limits import LimitExceeded, time_limit

CHUNK_CHARACTERS: Final = 65_536
MAX_ATTRIBUTES: Final = 1000

MAX_SECONDS: Final = 5.0
"""For a page. It takes as much on a small function if the page has a million entities in its text."""

LEFT_OUT: Final = "[the rest of the page is left out: it takes too much time to read]"

_HIDDEN_TAGS: Final = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "head", "iframe", "object", "audio"}
    | {"video", "canvas", "select", "datalist", "textarea"}
)
"""Tags whose content is not part of the visible text."""

_BLOCK_TAGS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "details", "dialog"}
    | {"div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4"}
    | {"h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol", "option", "p", "pre", "section"}
    | {"summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"}
)
_SPACE: Final = re.compile(r"\s+")


def extract_whole_text(html: str, needed_characters: int = sys.maxsize) -> Document:
    """All visible text of a page, one line for each block, and the page's title.

    Stops after `needed_characters`, and after MAX_SECONDS; in the second case the text says so.
    """
    collector = _TextCollector(needed_characters)
    try:
        with time_limit(MAX_SECONDS):
            _parse(html, collector)
    except LimitExceeded:
        collector.text.write(f"\n{LEFT_OUT}")
    return Document(collector.text.getvalue().strip(), collector.title)


def has_oversized_tag(html: str) -> bool:
    """Whether a tag has so many attributes that building a tree of it takes minutes."""
    finder = _OversizedTagFinder()
    _parse(html, finder)
    return finder.found


class _StopParsing(Exception):
    """The rest of the page is not needed."""


class _OversizedTagFinder:
    """A parser target of lxml that looks at start tags."""

    found = False

    def start(self, _: str, attributes: Mapping[str, str]) -> None:
        """Handle a start tag."""
        if len(attributes) > MAX_ATTRIBUTES:
            self.found = True
            raise _StopParsing

    def close(self) -> None:
        """Handle the end of the page."""


class _TextCollector:
    """A parser target of lxml that collects the title and the visible text."""

    def __init__(self, needed_characters: int) -> None:
        self.text = io.StringIO()
        self._missing_characters = needed_characters
        self.title: str | None = None
        self._hidden_tag: str | None = None
        self._hidden_depth = 0
        self._title_parts: list[str] | None = None
        self._at_line_start = self._after_space = True

    def start(self, tag: str, _: Mapping[str, str]) -> None:
        """Handle a start tag."""
        if self._hidden_tag:
            self._start_inside_hidden(tag)
        elif tag in _HIDDEN_TAGS:
            self._hidden_tag, self._hidden_depth = tag, 1
        elif tag in _BLOCK_TAGS:
            self._end_line()

    def _start_inside_hidden(self, tag: str) -> None:
        if tag == self._hidden_tag:
            self._hidden_depth += 1
        elif tag == "title" and self._hidden_tag == "head" and self.title is None:
            self._title_parts = []
        elif tag == "body":  # the head was not closed
            self._hidden_tag = None

    def end(self, tag: str) -> None:
        """Handle an end tag."""
        if self._hidden_tag:
            if tag == "title" and self._title_parts is not None:
                self.title, self._title_parts = " ".join("".join(self._title_parts).split()) or None, None
            if tag == self._hidden_tag:
                self._hidden_depth -= 1
                self._hidden_tag = self._hidden_tag if self._hidden_depth else None
        elif tag in _BLOCK_TAGS:
            self._end_line()

    def data(self, data: str) -> None:
        """Handle text between tags."""
        if self._title_parts is not None:
            self._title_parts.append(data)
        if self._hidden_tag:
            return
        text = _SPACE.sub(" ", data)
        if self._after_space:
            text = text.lstrip()
        if text:
            self.text.write(text)
            self._at_line_start, self._after_space = False, text.endswith(" ")
            self._missing_characters -= len(text)
            if self._missing_characters < -1:  # one more than needed, and a space that is stripped
                raise _StopParsing

    def close(self) -> None:
        """Handle the end of the page."""

    def _end_line(self) -> None:
        if not self._at_line_start:
            self.text.write("\n")
            self._at_line_start = self._after_space = True
            self._missing_characters -= 1


def _parse(html: str, target: Any) -> None:
    parser = etree.HTMLParser(target=target, huge_tree=True, encoding="utf-8")
    try:
        for start in range(0, len(html), CHUNK_CHARACTERS):
            parser.feed(html[start : start + CHUNK_CHARACTERS].encode("utf-8", "replace"))
        parser.close()
    except (etree.LxmlError, _StopParsing, AssertionError):  # keep what was parsed until then
        pass
