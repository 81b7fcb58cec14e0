"""Decodes bytes of an unknown charset: by byte order mark, by declaration, or by a guess."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

_DECLARATION = re.compile(
    rb"""<meta[^>]{0,400}?charset\s*=\s*["']?\s*([\w.:-]{1,40})|^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_BOMS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_BE, "utf-16-be"), (BOM_UTF16_LE, "utf-16-le"))

_HEAD_BYTES = 4096

_SAMPLE_BYTES = 20_000
_SAMPLE_BYTES_BEFORE = 1000
"""Of a guess's sample: how many bytes before the first one beyond ASCII it contains."""

_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_UP_TO_ASCII_ONLY_BYTE = re.compile(rb".*[\x09-\x2f]", re.DOTALL)
"""Up to the last byte that is a whole character in every charset of `_CANDIDATES`."""

_WESTERN = "cp1252"
_CANDIDATES = [
    *("utf_8", _WESTERN, "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "utf_16_le", "utf_16_be"),
]
"""The charsets that are common on the web. With all of Python's, French is taken for Czech in MacRoman."""

_MAX_UNREADABLE = 1 / 50
"""Of the characters beyond ASCII. With more U+FFFD, the charset counts as wrong."""

_MAX_UNREADABLE_UTF8 = 1 / 3
"""The same for UTF-8, which bytes of another charset hardly ever match by chance."""


def decode_text(body: bytes, declared_charset: str | None) -> str:
    """The text of a body, whose declared charset may be wrong. Unreadable bytes become U+FFFD.

    In this order: the byte order mark; UTF-8, UTF-16 or ISO-2022-JP if the bytes are valid in it; the
    declared charset; the charset that the document itself declares; a guess.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(name, "replace")
    for label in (_detect_charset(body), declared_charset, _find_declaration(body)):
        if not label:
            continue
        text = _decode(body, label)
        max_unreadable = _MAX_UNREADABLE_UTF8 if label == "utf-8" else _MAX_UNREADABLE
        if text is not None and _is_readable(text, max_unreadable):
            return text
    return _decode_by_guess(body)


def _decode(body: bytes, label: str) -> str | None:
    """The body in the charset of a web label, where latin-1 means windows-1252; None for an unknown label."""
    import webencodings

    encoding = webencodings.lookup(label)
    if encoding is None or encoding.name == "x-user-defined":  # maps bytes beyond ASCII to private use
        return None
    text: str = encoding.codec_info.decode(body, "replace")[0]
    return text


def _detect_charset(body: bytes) -> str | None:
    """The label of the charset that the bytes have the structure of, if there is one."""
    # in UTF-16, every other byte of spaces and line ends is NUL
    nuls = [body[start:_HEAD_BYTES:2].count(0) for start in (0, 1)]
    if max(nuls) > len(body[:_HEAD_BYTES]) // 16 and min(nuls) == 0:
        return "utf-16be" if nuls[0] else "utf-16le"
    if not body.isascii():
        return "utf-8"
    return "iso-2022-jp" if b"\x1b$" in body else None


def _find_declaration(body: bytes) -> str | None:
    if match := _DECLARATION.search(body[:_HEAD_BYTES]):
        label = (match[1] or match[2]).decode("ascii", "replace").lower()
        # the declaration was found as ASCII, so the document is not in UTF-16
        return "utf-8" if label.startswith("utf-16") else label
    return None


def _is_readable(text: str, max_unreadable: float) -> bool:
    unreadable = text.count("\ufffd")
    if not unreadable:
        return True
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return unreadable <= max_unreadable * beyond_ascii


def _decode_by_guess(body: bytes) -> str:
    from charset_normalizer import from_bytes

    first = _BEYOND_ASCII.search(body)
    start = max(first.start() - _SAMPLE_BYTES_BEFORE, 0) if first else 0
    sample = body[start : start + _SAMPLE_BYTES]
    if start + len(sample) < len(body):
        # do not cut a character in two, which would rule out its charset; most such characters have two bytes
        whole = _UP_TO_ASCII_ONLY_BYTE.match(sample)
        sample = sample[: len(sample) - (len(sample) - (whole.end() if whole else 0)) % 2]
    matches = from_bytes(sample, cp_isolation=_CANDIDATES)
    best = matches.best()
    for match in matches:
        if best and match.encoding == _WESTERN and _scores(match) == _scores(best):
            best = match
    return body.decode(best.encoding if best else "utf-8", "replace")


def _scores(match: "CharsetMatch") -> tuple[float, float]:
    return match.chaos, match.coherence
