"""What was found, by its kind: HTML, PDF, JSON or plain text."""

from dataclasses import dataclass

from upcall.errors import ToolError
from upcall.extraction.charset import characters

_HTML = {"text/html", "application/xhtml+xml"}
_TEXT = {
    "application/json",
    "application/xml",
    "application/yaml",
    "application/javascript",
    "message/rfc822",
}
_UNKNOWN = {
    "",
    "application/octet-stream",
    "binary/octet-stream",
    "application/x-download",
    "unknown/unknown",
}
_LOOKS_LIKE_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")


@dataclass(frozen=True)
class Link:
    """A link of a document: what it says, and where it leads."""

    text: str
    url: str


@dataclass(frozen=True)
class Document:
    """A document as people read it. `text` may stop short beyond what was asked for."""

    text: str
    title: str | None = None
    links: tuple[Link, ...] = ()


def read(body: bytes, media_type: str, charset: str | None, *, enough: int, url: str = "") -> Document:
    """The document in a body, by what its sender says it is, or by its first bytes if he says nothing.

    `enough` is how many characters of the text can be used: reading may stop there. `url` is what links
    are relative to. Raises ToolError for what holds no text.
    """
    kind = _kind(body, media_type)
    if kind == "application/pdf":
        from upcall.extraction.pdf import pdf

        return pdf(body, enough)
    if kind in _HTML:
        from upcall.extraction.html import html

        return html(characters(body, charset), url)
    if kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml")):
        return Document(_plain(body, charset))
    raise ToolError(f"this is {kind or 'of no known kind'}, which cannot be read; HTML, PDF and text can")


def _kind(body: bytes, media_type: str) -> str:
    if body[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if media_type not in _UNKNOWN:
        return media_type
    if body[:1024].lstrip().lower().startswith(_LOOKS_LIKE_HTML):
        return "text/html"
    return "text/plain" if b"\x00" not in body[:4096] else media_type


def _plain(body: bytes, charset: str | None) -> str:
    text = characters(body, charset)
    if "\x00" in text[:4096]:
        raise ToolError("this is called text, but it is not")
    return text
