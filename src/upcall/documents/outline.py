"""What a page consists of besides text: where it leads by itself, and what shows or hides its content.

One pass, no tree, and lists of bounded length, whatever the page has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urljoin

from lxml import etree

from upcall.documents.refresh import Refresh, parse_refresh

MAX_ADDRESSES: Final = 10
"""Of each kind."""

MAX_ADDRESS_CHARACTERS: Final = 1000
MAX_TEXT_CHARACTERS: Final = 600
CHUNK_CHARACTERS: Final = 65_536

_RAW_TEXT: Final = frozenset({"script", "style", "title", "textarea", "template", "svg", "select"})
"""Tags whose content is no visible text of the page, and in which other tags do not count."""

_ALTERNATE_TYPES: Final = ("application/rss+xml", "application/atom+xml", "application/feed+json")


@dataclass
class Outline:
    """The parts of a page. URLs are absolute, http or https. Texts are cut."""

    base: str
    text: str = ""
    noscript_text: str = ""
    description: str = ""
    refresh: Refresh | None = None
    frames: list[str] = field(default_factory=list)
    embedded: list[str] = field(default_factory=list)
    alternates: list[str] = field(default_factory=list)
    image_texts: list[str] = field(default_factory=list)
    images: int = 0
    scripts: int = 0
    is_frameset: bool = False
    asks_for_password: bool = False

    def resolve(self, address: str | None) -> str | None:
        """The absolute URL of an address on the page; None for none, and for anything else than http(s)."""
        if not address or len(address) > MAX_ADDRESS_CHARACTERS:
            return None
        return _join(self.base, address)


def base_url(href: str | None, url: str) -> str:
    """What the addresses on the page at `url` are relative to; `href` is that of its first `<base>` with one.

    As browsers do: a base that is not http or https counts as none.
    """
    return (href is not None and _join(url, href)) or url


def read_outline(html: str, url: str) -> Outline:
    """The outline of the page at `url`."""
    outline = Outline(base=url)
    add_to_outline(outline, html)
    return outline


def add_to_outline(outline: Outline, html: str) -> None:
    """Note the parts of a page in an outline. If that is interrupted, those noted until then are kept."""
    collector = _Collector(outline)
    parser = etree.HTMLParser(target=collector, huge_tree=True, encoding="utf-8")
    try:
        for start in range(0, len(html), CHUNK_CHARACTERS):
            parser.feed(html[start : start + CHUNK_CHARACTERS].encode("utf-8", "replace"))
        parser.close()
    except (etree.LxmlError, AssertionError):  # keep what was parsed until then
        pass


class _Collector:
    """A parser target of lxml."""

    def __init__(self, outline: Outline) -> None:
        self.outline = outline
        self._url = outline.base
        self._has_base = False
        self._raw: str | None = None
        self._raw_depth = 0
        self._noscript_depth = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Handle a start tag."""
        if self._raw:
            self._raw_depth += tag == self._raw
            return
        self._note(tag, attributes)
        if tag in _RAW_TEXT:
            self._raw, self._raw_depth = tag, 1
        self._noscript_depth += tag == "noscript"

    def end(self, tag: str) -> None:
        """Handle an end tag."""
        if tag == self._raw:
            self._raw_depth -= 1
            self._raw = self._raw if self._raw_depth else None
        elif tag == "noscript":
            self._noscript_depth = max(0, self._noscript_depth - 1)

    def data(self, data: str) -> None:
        """Handle text between tags."""
        page = self.outline
        if self._raw or not data.strip():
            return
        if self._noscript_depth:
            page.noscript_text = _append(page.noscript_text, data)
        else:
            page.text = _append(page.text, data)

    def close(self) -> None:
        """Handle the end of the page."""

    def _note(self, tag: str, attributes: Mapping[str, str]) -> None:
        page = self.outline
        if tag == "base" and not self._has_base and "href" in attributes:
            self._has_base = True
            page.base = base_url(attributes["href"], self._url)
        elif tag == "meta":
            self._note_meta(attributes)
        elif tag in ("frame", "iframe"):
            _add(page.frames, page.resolve(attributes.get("src")))
        elif tag == "frameset":
            page.is_frameset = True
        elif tag in ("embed", "object"):
            _add(page.embedded, page.resolve(attributes.get("src") or attributes.get("data")))
        elif tag in ("img", "image", "area"):
            page.images += tag != "area"
            _add(page.image_texts, " ".join(attributes.get("alt", "").split())[:MAX_TEXT_CHARACTERS])
        elif tag == "script":
            page.scripts += 1
        elif tag == "input":
            page.asks_for_password |= attributes.get("type", "").strip().lower() == "password"
        elif tag == "link" and _is_alternate(attributes):
            _add(page.alternates, page.resolve(attributes.get("href")))

    def _note_meta(self, attributes: Mapping[str, str]) -> None:
        page, content = self.outline, attributes.get("content", "")
        if attributes.get("http-equiv", "").strip().lower() == "refresh":
            page.refresh = page.refresh or parse_refresh(content)
        name = (attributes.get("name") or attributes.get("property") or "").strip().lower()
        if name in ("description", "og:description"):
            page.description = page.description or " ".join(content.split())[:MAX_TEXT_CHARACTERS]


def _is_alternate(attributes: Mapping[str, str]) -> bool:
    kinds = attributes.get("rel", "").lower().split()
    media_type = attributes.get("type", "").strip().lower()
    return "amphtml" in kinds or ("alternate" in kinds and media_type in _ALTERNATE_TYPES)


def _add(found: list[str], value: str | None) -> None:
    if value and value not in found and len(found) < MAX_ADDRESSES:
        found.append(value)


def _append(text: str, data: str) -> str:
    if len(text) > MAX_TEXT_CHARACTERS:
        return text
    return f"{text} {' '.join(data[: MAX_TEXT_CHARACTERS * 2].split())}".strip()


def _join(base: str, address: str) -> str | None:
    try:
        target = urljoin(base, address.strip()).partition("#")[0]
    except ValueError:
        return None
    return target if target.startswith(("http://", "https://")) else None
