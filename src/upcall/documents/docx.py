"""The title and text of a Word file (.docx), which is a zip archive of XML, in one pass and without a tree.

No library does it: python-docx leaves out what is in tracked insertions, content controls, text boxes and
footnotes; mammoth and docx2python take 3.5 s for 300 pages, which are 12 s on a small function.
"""

import posixpath
from collections.abc import Mapping
from typing import Any, Final
from zipfile import ZipFile

from lxml import etree

from upcall.documents.archive import open_zip, read_member
from upcall.documents.document import Document
from upcall.domain.errors import ToolError

MAX_PART_BYTES: Final = 100_000_000
"""Of a part after decompression. A book of a thousand pages has about 10 MB."""

MAX_TITLE: Final = 500

_IGNORED: Final = frozenset({"moveFrom", "Fallback"})
"""What was moved elsewhere, and what stands in for a text box in old versions of Word."""

_CHARACTERS: Final = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "numPr": "- "}
"""What elements without text stand for. `numPr` makes a paragraph an item of a list."""


def read_docx(body: bytes, needed_characters: int) -> Document:
    """Title and text: a line for each paragraph and each row of a table, then the footnotes.

    Raises ToolError.
    """
    with open_zip(body) as archive:
        main_part = _main_part(archive)
        collector = _TextCollector(needed_characters)
        _parse(archive, main_part, collector)
        for name in ("footnotes.xml", "endnotes.xml"):
            _parse(archive, posixpath.join(posixpath.dirname(main_part), name), collector, required=False)
        title = _TitleCollector()
        _parse(archive, "docProps/core.xml", title, required=False)
    return Document(collector.text(), " ".join(title.text.split())[:MAX_TITLE] or None)


def _main_part(archive: ZipFile) -> str:
    """The name of the part with the text."""
    finder = _MainPartFinder()
    _parse(archive, "_rels/.rels", finder, required=False)
    return finder.name


def _parse(archive: ZipFile, name: str, target: Any, *, required: bool = True) -> None:
    """Let the target handle the elements of a part, until it has enough. Raises ToolError."""
    if name not in archive.NameToInfo:
        if required:
            raise ToolError("the Word file is damaged and cannot be read")
        return
    parser = etree.XMLParser(target=target, resolve_entities=False, no_network=True, load_dtd=False)
    try:
        for chunk in read_member(archive, name, MAX_PART_BYTES):
            parser.feed(chunk)
        parser.close()
    except _Enough:
        pass
    except (etree.LxmlError, AssertionError) as error:
        if required:
            raise ToolError("the Word file is damaged and cannot be read") from error


class _Enough(Exception):
    """The rest of the part is not needed."""


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]


class _MainPartFinder:
    """A parser target that reads the relationships of the archive."""

    name = "word/document.xml"

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Handle a start tag."""
        if _local_name(tag) == "Relationship" and attributes.get("Type", "").endswith("/officeDocument"):
            self.name = attributes.get("Target", "").lstrip("/")

    def close(self) -> None:
        """Handle the end of the part."""


class _TitleCollector:
    """A parser target that reads the title among the properties of the file."""

    text = ""
    _inside = False

    def start(self, tag: str, _: Mapping[str, str]) -> None:
        """Handle a start tag."""
        self._inside = _local_name(tag) == "title"

    def end(self, _: str) -> None:
        """Handle an end tag."""
        self._inside = False

    def data(self, data: str) -> None:
        """Handle text between tags."""
        if self._inside and len(self.text) < MAX_TITLE:
            self.text += data

    def close(self) -> None:
        """Handle the end of the part."""


class _TextCollector:
    """A parser target that collects the text."""

    def __init__(self, needed_characters: int) -> None:
        self._text: list[str] = []
        self._missing_characters = needed_characters
        self._cells: list[list[str]] = []
        """The text of each cell that is open: a cell may contain a table."""
        self._rows: list[list[str]] = []
        self._ignored = 0
        self._in_text = False

    def text(self) -> str:
        """The whole text."""
        return "".join(self._text).strip()

    def start(self, tag: str, _: Mapping[str, str]) -> None:
        """Handle a start tag."""
        name = _local_name(tag)
        if self._ignored or name in _IGNORED:
            self._ignored += 1
        elif name == "t":
            self._in_text = True
        elif name == "tr":
            self._rows.append([])
        elif name == "tc":
            self._cells.append([])

    def end(self, tag: str) -> None:
        """Handle an end tag."""
        name = _local_name(tag)
        self._in_text = False
        if self._ignored:
            self._ignored -= 1
        elif name == "p":
            self._add("\n")
        elif name in _CHARACTERS:
            self._add(_CHARACTERS[name])
        elif name == "tc" and self._cells:
            cell = " ".join("".join(self._cells.pop()).split())
            if self._rows:
                self._rows[-1].append(cell)
        elif name == "tr" and self._rows:
            self._add(f"| {' | '.join(self._rows.pop())} |\n")

    def data(self, data: str) -> None:
        """Handle text between tags."""
        if self._in_text and not self._ignored:
            self._add(data)

    def close(self) -> None:
        """Handle the end of the part."""

    def _add(self, text: str) -> None:
        (self._cells[-1] if self._cells else self._text).append(text)
        if not self._cells and text.strip():
            self._missing_characters -= len(text)
            if self._missing_characters < 0:
                raise _Enough
