"""What a document is: by its bytes first, as browsers sniff them, then by its media type and its name.

Servers, and whoever stores objects, declare what they like. Nothing that is declared turns binary data into
text, or text into a video. It decides only between kinds of text, of which bytes say little.
"""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import Final, Literal

from upcall.domain.errors import ToolError

Format = Literal["docx", "email", "gzip", "html", "pdf", "spreadsheet", "text"]

READABLE: Final = "HTML, PDF, Word and Excel files, e-mails and text can"

HEAD_BYTES: Final = 65_536

_CONTENT_TYPE: Final = re.compile(r"\s*([^\s;,]{1,200})")
_CHARSET: Final = re.compile(r""";\s*charset\s*=\s*["']?([\w.:+-]{1,40})""", re.ASCII | re.IGNORECASE)
"""The standard library's parser takes seconds for some values, and fails on others."""

_HTML_TYPES: Final = {"text/html", "application/xhtml+xml"}
_EMAIL_TYPES: Final = {"message/rfc822", "message/global", "application/mbox"}
_TEXT_TYPES: Final = {
    "application/json",
    "application/jsonl",
    "application/x-ndjson",
    "application/csv",
    "application/xml",
    "application/yaml",
    "application/x-yaml",
    "application/toml",
    "application/sql",
    "application/x-sh",
    "application/javascript",
}
_UNSPECIFIC_TYPES: Final = {
    "",
    "*/*",
    "application/octet-stream",
    "binary/octet-stream",
    "application/x-download",
    "application/unknown",
    "unknown/unknown",
}
_SOURCE_TYPES: Final = re.compile(
    r"text/(?!plain|xml|html).*|.*\+xml|application/(x-)?javascript|application/x-sh"
)
"""Types of text in which a page's source is a text in itself, for example in Markdown."""

_TEXT_NAMES: Final = re.compile(
    r".*\.(md|markdown|rst|txt|csv|tsv|jsonl?|ndjson|ya?ml|toml|tsx?|jsx?|vue|php)", re.I
)
"""Names of files that may begin with a tag and are no pages."""

_HTML_NAMES: Final = re.compile(r".*\.x?html?", re.I)
_EMAIL_NAMES: Final = re.compile(r".*\.eml", re.I)

_PAGE_START: Final = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype\s+html|html[\s>])", re.I | re.S
)
_MARKUP: Final = re.compile(rb"<[a-z!/?]|&[#a-z]", re.I)
_FEED_START: Final = re.compile(
    rb"\s*(?:<\?xml[^>]{0,200}>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:rss|feed|rdf:RDF)\b", re.S
)
_JSON_BOUNDS: Final = (b"{}", b"[]")
_EMAIL_START: Final = re.compile(
    rb"(?:From [^\n]+\n)?(?:[\w-]{1,60}:[^\n]*\n(?:[ \t][^\n]*\n)*){0,60}?"
    rb"(?:Received|Return-Path|Message-ID|MIME-Version|Delivered-To|DKIM-Signature):",
    re.I,
)
_BINARY: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that do not occur in text, as browsers define them: https://mimesniff.spec.whatwg.org/#binary-data-byte."""

_UTF16_STARTS: Final = (BOM_UTF16_BE, BOM_UTF16_LE)
_OLE2_START: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_NO_TEXT: Final = (
    "image/",
    "audio/",
    "video/",
    "font/",
    "application/vnd.ms-fontobject",
    "application/x-rar",
)


def parse_content_type(value: str) -> tuple[str, str | None]:
    """Media type and charset of a Content-Type. The type is empty if there is none."""
    media_type = _CONTENT_TYPE.match(value)
    return media_type[1].lower() if media_type else "", parse_charset(value)


def parse_charset(content_type: str) -> str | None:
    """The charset of a Content-Type, if there is one."""
    charset = _CHARSET.search(content_type)
    return charset[1].lower() if charset else None


def detect_format(body: bytes, media_type: str, name: str) -> Format:
    """What a body is. Raises ToolError, with what it is, if that cannot be read.

    `media_type` is as declared, `name` that of a file or an object. Both may be empty or wrong.
    """
    if body[:1024].lstrip().startswith(b"%PDF-"):
        return "pdf"
    head = body[:HEAD_BYTES]
    sniffed = _sniff(head)
    if sniffed == "application/x-gzip":
        return "gzip"
    if sniffed == "application/zip":
        return _detect_in_zip(body)
    if head.startswith(_OLE2_START):
        return "spreadsheet"  # or another file of an old Office, which its reader says
    if not _is_text(head, media_type, name):
        known = sniffed if sniffed.startswith(_NO_TEXT) else media_type
        raise _unreadable("" if known in _UNSPECIFIC_TYPES else known)
    return _detect_in_text(head.removeprefix(BOM_UTF8), body, media_type, name, sniffed)


def _sniff(head: bytes) -> str:
    from xtractmime import extract_mime  # type: ignore[import-untyped]

    try:
        return (extract_mime(head) or b"").decode("ascii")
    except IndexError:  # it reads beyond the end of a text of blanks
        return ""


def _is_text(head: bytes, media_type: str, name: str) -> bool:
    if head.startswith(_UTF16_STARTS):
        return True
    if _is_text_type(media_type):
        # with some control characters, too; what is no text at all is found when it is decoded
        return not (_BINARY.search(head) and _sniff(head).startswith(_NO_TEXT))
    if _BINARY.search(head):
        return False
    # every text is some kind of Latin-1, and a short image may be, too
    is_media = media_type.startswith(_NO_TEXT) or media_type == "application/zip"
    return not is_media or _is_utf8(head) or _TEXT_NAMES.fullmatch(name) is not None


def _is_text_type(media_type: str) -> bool:
    return (
        media_type.startswith("text/")
        or media_type in _TEXT_TYPES | _HTML_TYPES | _EMAIL_TYPES
        or media_type.endswith(("+json", "+xml"))
    )


def _is_utf8(head: bytes) -> bool:
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > HEAD_BYTES - 4  # a character that the end of the head cuts in two
    return True


def _detect_in_text(head: bytes, body: bytes, media_type: str, name: str, sniffed: str) -> Format:
    head = head.replace(b"\x00", b"")  # of UTF-16
    if media_type in _EMAIL_TYPES or _EMAIL_NAMES.fullmatch(name):
        return "email"
    if _PAGE_START.match(head) and (media_type in _HTML_TYPES or not _SOURCE_TYPES.fullmatch(media_type)):
        return "html"
    if media_type in _HTML_TYPES:
        return "text" if _FEED_START.match(head) or _is_json(body) or not _MARKUP.search(head) else "html"
    if _is_text_type(media_type):
        return "text"
    if _HTML_NAMES.fullmatch(name) or (sniffed == "text/html" and not _TEXT_NAMES.fullmatch(name)):
        return "html"
    return "email" if _EMAIL_START.match(head) else "text"


def _is_json(body: bytes) -> bool:
    stripped = body.strip()
    return stripped[:1] + stripped[-1:] in _JSON_BOUNDS


def _detect_in_zip(body: bytes) -> Format:
    from upcall.documents.archive import open_zip

    with open_zip(body) as archive:
        folders = {name.partition("/")[0] for name in archive.namelist()}
        if "word" in folders:
            return "docx"
        if "xl" in folders:
            return "spreadsheet"
        if "mimetype" in folders and archive.getinfo("mimetype").file_size < 100:
            kind = archive.read("mimetype").decode("ascii", "replace").strip()
            if kind == "application/vnd.oasis.opendocument.spreadsheet":
                return "spreadsheet"
            raise _unreadable(kind)
    raise _unreadable("a PowerPoint file" if "ppt" in folders else "application/zip")


def _unreadable(kind: str) -> ToolError:
    return ToolError(f"this is {kind[:100] or 'of an unknown type'}, which cannot be read; {READABLE}")
