"""The whole text of an HTML page in one pass: no tree, no more memory than the text itself."""

import re
from collections.abc import Mapping
from typing import Any, Final

from lxml import etree

from upcall.documents.document import Document

CHUNK_CHARACTERS: Final = 65_536
ENDLESS_ATTRIBUTES: Final = 1000

_SILENT: Final = frozenset(
    {"script", "style", "noscript", "template", "svg", "math", "head", "iframe", "object", "audio"}
    | {"video", "canvas", "select", "datalist", "textarea"}
)
"""What stands in these is not read by people."""

_BLOCKS: Final = frozenset(
    {"address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "details", "dialog"}
    | {"div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4"}
    | {"h5", "h6", "header", "hr", "html", "li", "main", "nav", "ol", "option", "p", "pre", "section"}
    | {"summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"}
)
_SPACE: Final = re.compile(r"\s+")
_SPACE_IN_LINE: Final = re.compile(r"[^\S\n]+")


def whole_text(html: str) -> Document:
    """All that a reader sees of a page, a line for each block, with the page's title."""
    reader = _Reader()
    _feed(html, reader)
    return Document(_SPACE_IN_LINE.sub(" ", "".join(reader.text)).strip(), reader.title)


def has_endless_tag(html: str) -> bool:
    """Whether some tag has so many attributes that building a tree of it takes minutes."""
    probe = _Probe()
    _feed(html, probe)
    return probe.found


class _Found(Exception):
    """Enough was read."""


class _Probe:
    """Told of each tag that begins, as lxml reads it."""

    found = False

    def start(self, _: str, attributes: Mapping[str, str]) -> None:
        """A tag begins."""
        if len(attributes) > ENDLESS_ATTRIBUTES:
            self.found = True
            raise _Found

    def close(self) -> None:
        """The page ends."""


class _Reader:
    """Told of tags and text, as lxml reads them."""

    def __init__(self) -> None:
        self.text: list[str] = []
        self.title: str | None = None
        self._silent: str | None = None
        self._depth = 0
        self._in_title: list[str] | None = None
        self._line_begins = True

    def start(self, tag: str, _: Mapping[str, str]) -> None:
        """A tag begins."""
        if self._silent:
            self._start_in_silence(tag)
        elif tag in _SILENT:
            self._silent, self._depth = tag, 1
        elif tag in _BLOCKS:
            self._end_line()

    def _start_in_silence(self, tag: str) -> None:
        if tag == self._silent:
            self._depth += 1
        elif tag == "title" and self._silent == "head" and self.title is None:
            self._in_title = []
        elif tag == "body":  # the head was never closed
            self._silent = None

    def end(self, tag: str) -> None:
        """A tag ends."""
        if self._silent:
            if tag == "title" and self._in_title is not None:
                self.title, self._in_title = " ".join("".join(self._in_title).split()) or None, None
            if tag == self._silent:
                self._depth -= 1
                self._silent = self._silent if self._depth else None
        elif tag in _BLOCKS:
            self._end_line()

    def data(self, data: str) -> None:
        """Text between tags."""
        if self._in_title is not None:
            self._in_title.append(data)
        if self._silent:
            return
        text = _SPACE.sub(" ", data)
        if self._line_begins:
            text = text.lstrip()
        if text:
            self.text.append(text)
            self._line_begins = False

    def close(self) -> None:
        """The page ends."""

    def _end_line(self) -> None:
        if not self._line_begins:
            self.text.append("\n")
            self._line_begins = True


def _feed(html: str, target: Any) -> None:
    parser = etree.HTMLParser(target=target, huge_tree=True, encoding="utf-8")
    try:
        for start in range(0, len(html), CHUNK_CHARACTERS):
            parser.feed(html[start : start + CHUNK_CHARACTERS].encode("utf-8", "replace"))
        parser.close()
    except (etree.LxmlError, _Found, AssertionError):  # what was read until then is what there is
        pass
