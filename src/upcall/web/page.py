"""A page as a model reads it: title, main text, and where to go on."""

from typing import Self

from upcall.errors import ToolError
from upcall.jsontext import json_bytes, longest_prefix
from upcall.models import Model
from upcall.web.download import Download

HTML = {"text/html", "application/xhtml+xml", ""}


class Page(Model):
    """The main text of a page, from `offset` on. `next_offset` is null where the text ends here."""

    url: str
    title: str | None
    text: str
    offset: int
    next_offset: int | None = None

    def fit(self, max_bytes: int) -> Self:
        """The page with as much of its text as `max_bytes` hold, and the offset of the rest."""
        whole = self.text
        text = longest_prefix(
            whole, lambda start: json_bytes(self._with(start).model_dump_json()) <= max_bytes
        )
        return self._with(text)

    def _with(self, text: str) -> Self:
        cut = len(text) < len(self.text)
        next_offset = self.offset + len(text) if cut else self.next_offset
        return self.model_copy(update={"text": text, "next_offset": next_offset})


def page(download: Download, offset: int) -> Page:
    """The page in a download, from `offset` (characters of its main text) on. Raises ToolError."""
    title, text = _read(download)
    if offset > len(text):
        raise ToolError(f"the text ends at {len(text)}; there is nothing at offset {offset}")
    return Page(url=download.url, title=title, text=text[offset:], offset=offset)


def _read(download: Download) -> tuple[str | None, str]:
    kind = download.media_type
    if kind in HTML:
        return _main_text(_decoded(download) if download.charset else download.body)
    if kind.startswith("text/") or kind == "application/json" or kind.endswith("+json"):
        return None, _decoded(download)
    raise ToolError(f"{download.url} is {kind}, which cannot be read; only text can")


def _decoded(download: Download) -> str:
    try:
        return download.body.decode(download.charset or "utf-8", errors="replace")
    except LookupError:  # a charset that nobody knows
        return download.body.decode(errors="replace")


def _main_text(html: str | bytes) -> tuple[str | None, str]:
    import trafilatura
    from trafilatura.settings import Document

    found = trafilatura.bare_extraction(html, include_links=True, with_metadata=True)
    if not isinstance(found, Document):
        return None, ""
    return found.title, found.text or ""
