"""Reads a document of any format that is supported: see `media_type.py` for how it is found out."""

import re
from dataclasses import replace

from upcall.documents.charset import decode_text
from upcall.documents.document import Document
from upcall.documents.media_type import detect_format
from upcall.domain.errors import ToolError

MAX_GZIP_LAYERS = 3
MAX_GUNZIPPED_BYTES = 10_000_000
"""As much as an object or a page may have."""

_SURROGATES = re.compile("[\ud800-\udfff]")


def read_document(
    body: bytes,
    media_type: str,
    charset: str | None,
    *,
    needed_characters: int,
    url: str = "",
    name: str = "",
) -> Document:
    """The document in a body; `media_type` and `charset` are as declared, and may be empty or wrong.

    Reading may stop after `needed_characters` of the text. `url` is what links are relative to. `name` is
    that of a file or an object; its ending says what it is if the bytes do not. Raises ToolError for a body
    that contains no text.
    """
    if not body:
        raise ToolError("the document is empty: it has no bytes")
    document = _read(body, media_type, charset, needed_characters, url, name)
    if not document.text.strip():
        raise ToolError("the document contains no text")
    # a PDF may contain a lone surrogate, which JSON cannot
    return replace(
        document,
        text=_replace_surrogates(document.text),
        title=document.title and _replace_surrogates(document.title),
    )


def _read(
    body: bytes, media_type: str, charset: str | None, needed_characters: int, url: str, name: str
) -> Document:
    layers = 0
    while (found := detect_format(body, media_type, name)) == "gzip":
        from upcall.documents.archive import gunzip

        layers += 1
        if layers > MAX_GZIP_LAYERS:
            raise ToolError(f"the file is compressed more than {MAX_GZIP_LAYERS} times")
        body, media_type, charset = gunzip(body, MAX_GUNZIPPED_BYTES), "", None
        name = name.removesuffix(".gz")
    if found == "pdf":
        from upcall.documents.pdf import read_pdf

        return read_pdf(body, needed_characters)
    if found == "docx":
        from upcall.documents.docx import read_docx

        return read_docx(body, needed_characters)
    if found == "spreadsheet":
        from upcall.documents.spreadsheet import read_spreadsheet

        return read_spreadsheet(body, needed_characters)
    if found == "email":
        from upcall.documents.email_message import read_email

        return read_email(body, needed_characters)
    if found == "html":
        from upcall.documents.html import read_html
        from upcall.documents.missing_text import check_has_text

        html = decode_text(body, charset)
        document = read_html(html, url, needed_characters)
        check_has_text(html, document, url)
        return document
    return Document(_read_plain_text(body, charset))


def _replace_surrogates(text: str) -> str:
    return _SURROGATES.sub("\ufffd", text)


def _read_plain_text(body: bytes, charset: str | None) -> str:
    text = decode_text(body, charset)
    if "\x00" in text[:4096]:
        raise ToolError("the content is declared as text, but it is binary")
    return text
