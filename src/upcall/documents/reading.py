"""What was found, by its kind: HTML, PDF, JSON or plain text."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import replace

from upcall.documents.charset import characters
from upcall.documents.document import Document
from upcall.domain.errors import ToolError

_HTML = {"text/html", "application/xhtml+xml"}
_TEXT = {
    "application/json",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/x-ndjson",
    "application/sql",
    "application/x-sh",
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
_LOOKS_LIKE_UTF16 = (BOM_UTF16_BE, BOM_UTF16_LE)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has, by which browsers too tell what may be shown."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def read(body: bytes, media_type: str, charset: str | None, *, enough: int, url: str = "") -> Document:
    """The document in a body, by what its sender says it is, or by its first bytes if he says nothing.

    `enough` is how many characters of the text can be used: reading may stop there. `url` is what links
    are relative to. Raises ToolError for what holds no text.
    """
    document = _read(body, _kind(body, media_type), charset, enough, url)
    # a PDF may name any number as a character, half of a surrogate pair too, which no JSON can hold
    return replace(document, text=_whole(document.text), title=document.title and _whole(document.title))


def _read(body: bytes, kind: str, charset: str | None, enough: int, url: str) -> Document:
    if kind == "application/pdf":
        from upcall.documents.pdf import pdf

        return pdf(body, enough)
    if kind in _HTML:
        from upcall.documents.html import html

        return html(characters(body, charset), url)
    if kind.startswith("text/") or kind in _TEXT or kind.endswith(("+json", "+xml")):
        return Document(_plain(body, charset))
    raise ToolError(
        f"this is {kind[:100] or 'of no known kind'}, which cannot be read; HTML, PDF and text can"
    )


def _kind(body: bytes, media_type: str) -> str:
    if body[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if media_type not in _UNKNOWN:
        return media_type
    if body.startswith(_LOOKS_LIKE_UTF16):
        return "text/plain"
    if body[:1024].removeprefix(BOM_UTF8).lstrip().lower().startswith(_LOOKS_LIKE_HTML):
        return "text/html"
    return media_type if _BINARY.search(body[:4096]) else "text/plain"


def _whole(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


def _plain(body: bytes, charset: str | None) -> str:
    text = characters(body, charset)
    if "\x00" in text[:4096]:
        raise ToolError("this is called text, but it is not")
    return text
