"""An e-mail as text: its headers, its text (else its HTML), and the names of its attachments."""

import re
from contextlib import suppress
from email import policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from itertools import islice
from typing import Final

from upcall.documents.charset import decode_text
from upcall.documents.document import Document, Link
from upcall.domain.errors import ToolError

HEADERS: Final = ("From", "To", "Cc", "Date", "Subject")

MAX_HEADER: Final = 2000
"""Of a header's characters. The standard library takes quadratic time for some of them."""

MAX_CONTAINERS: Final = 100
"""Parts that contain parts. They may be inside of each other, and then the parser calls itself for each."""

MAX_TITLE: Final = 500
MAX_ATTACHMENTS: Final = 100
MAX_PARTS: Final = 1000
"""Of an e-mail, in which attachments are looked for."""

MAX_NAME: Final = 200

_CONTAINERS: Final = re.compile(rb"^content-type:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)

_MALFORMED: Final = (ValueError, TypeError, AttributeError, LookupError)
"""What the standard library raises for some malformed headers, beyond those that it knows."""


def read_email(body: bytes, needed_characters: int) -> Document:
    """The message; its subject is the title. Raises ToolError for one of too many parts."""
    body = body.lstrip()
    if len(_CONTAINERS.findall(body)) > MAX_CONTAINERS:
        raise ToolError(f"the e-mail has more than {MAX_CONTAINERS} parts that contain parts")
    message = BytesParser(_class=EmailMessage, policy=policy.default).parsebytes(body)
    headers = _headers(message)
    text, links = _text_and_links(message, needed_characters)
    names = _attachment_names(message)
    parts = ["\n".join(f"{name}: {value}" for name, value in headers.items()), text]
    if names:
        parts.append(f"[attachments: {', '.join(names)}]")
    title = headers.get("Subject", "")[:MAX_TITLE] or None
    return Document("\n\n".join(filter(None, parts)), title, links)


def _headers(message: EmailMessage) -> dict[str, str]:
    """The first header of each name in HEADERS, decoded. Nothing is parsed that is not shown."""
    found: dict[str, str] = {}
    for raw_name, raw_value in message.raw_items():
        name = str(raw_name).title()
        if name in HEADERS and name not in found:
            found[name] = _decode_header(str(raw_value)[:MAX_HEADER])
    return {name: found[name] for name in HEADERS if found.get(name)}


def _decode_header(raw: str) -> str:
    # the parser keeps bytes beyond ASCII as surrogates
    raw = decode_text(raw.encode("utf-8", "surrogateescape"), None)
    with suppress(Exception):  # a charset that nobody knows, or no base64: the raw value is better than none
        raw = str(make_header(decode_header(raw)))
    return " ".join(raw.split())


def _text_and_links(message: EmailMessage, needed_characters: int) -> tuple[str, tuple[Link, ...]]:
    plain = _content(message, "plain").strip()
    if plain:
        return plain, ()
    html = _content(message, "html")
    if not html.strip():
        return "", ()
    from upcall.documents.html import read_html

    document = read_html(html, "", needed_characters)
    return document.text, document.links


def _content(message: EmailMessage, subtype: str) -> str:
    """The message's text of that type; empty if there is none, or if it cannot be found."""
    try:
        part = message.get_body((subtype,))
        if part is None:  # a part without headers is false
            return ""
        content, charset = part.get_payload(decode=True), part.get_content_charset()
    except _MALFORMED:
        return ""
    return decode_text(content, charset) if isinstance(content, bytes) else ""


def _attachment_names(message: EmailMessage) -> list[str]:
    names: list[str] = []
    for part in islice(message.walk(), MAX_PARTS):
        try:
            name = part.get_filename()
        except _MALFORMED:
            name = "without a readable name"
        if name and len(names) < MAX_ATTACHMENTS:
            names.append(_decode_header(name[:MAX_HEADER])[:MAX_NAME])
    return names
