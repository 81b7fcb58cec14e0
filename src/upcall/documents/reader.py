"""Reads a document by its media type: HTML, PDF, JSON or plain text."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from dataclasses import replace

from upcall.documents.charset import decode_text
from upcall.documents.document import Document
from upcall.domain.errors import ToolError

_HTML_TYPES = {"text/html", "application/xhtml+xml"}
_TEXT_TYPES = {
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
_UNSPECIFIC_TYPES = {
    "",
    "application/octet-stream",
    "binary/octet-stream",
    "application/x-download",
    "unknown/unknown",
}
_HTML_STARTS = (b"<!doctype html", b"<html", b"<head", b"<body", b"<!--")
_UTF16_STARTS = (BOM_UTF16_BE, BOM_UTF16_LE)
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that do not occur in text, as browsers define them: https://mimesniff.spec.whatwg.org/#binary-data-byte."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def read_document(
    body: bytes, media_type: str, charset: str | None, *, needed_characters: int, url: str = ""
) -> Document:
    """The document in a body; `media_type` and `charset` are as declared, and may be empty or wrong.

    Reading may stop after `needed_characters` of the text. `url` is what links are relative to. Raises
    ToolError for a body that contains no text.
    """
    media_type = _detect_media_type(body, media_type)
    document = _read_as(media_type, body, charset, needed_characters, url)
    # a PDF may contain a lone surrogate, which JSON cannot
    return replace(
        document,
        text=_replace_surrogates(document.text),
        title=document.title and _replace_surrogates(document.title),
    )


def _read_as(media_type: str, body: bytes, charset: str | None, needed_characters: int, url: str) -> Document:
    if media_type == "application/pdf":
        from upcall.documents.pdf import read_pdf

        return read_pdf(body, needed_characters)
    if media_type in _HTML_TYPES:
        from upcall.documents.html import read_html

        return read_html(decode_text(body, charset), url)
    if media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith(("+json", "+xml")):
        return Document(_read_plain_text(body, charset))
    raise ToolError(
        f"this is {media_type[:100] or 'of an unknown type'}, which cannot be read; HTML, PDF and text can"
    )


def _detect_media_type(body: bytes, declared: str) -> str:
    if body[:1024].lstrip().startswith(b"%PDF-"):
        return "application/pdf"
    if declared not in _UNSPECIFIC_TYPES:
        return declared
    if body.startswith(_UTF16_STARTS):
        return "text/plain"
    if body[:1024].removeprefix(BOM_UTF8).lstrip().lower().startswith(_HTML_STARTS):
        return "text/html"
    return declared if _BINARY.search(body[:4096]) else "text/plain"


def _replace_surrogates(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


def _read_plain_text(body: bytes, charset: str | None) -> str:
    text = decode_text(body, charset)
    if "\x00" in text[:4096]:
        raise ToolError("the content is declared as text, but it is binary")
    return text
