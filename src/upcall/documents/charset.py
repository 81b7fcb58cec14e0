"""Bytes to characters: by their own marks, by what is said of them, and by what they look like."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from charset_normalizer import CharsetMatch

_DECLARED = re.compile(
    rb"""<meta[^>]{0,400}?charset\s*=\s*["']?\s*([\w.:-]{1,40})|^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.:-]{1,40})""",
    re.IGNORECASE,
)
_BOMS = ((BOM_UTF8, "utf-8"), (BOM_UTF16_BE, "utf-16-be"), (BOM_UTF16_LE, "utf-16-le"))

_HEAD = 4096

_GUESSED_FROM = 20_000
_GUESSED_BEFORE = 1000
_BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
_AS_FAR_AS_SURE = re.compile(rb".*[\x09-\x2f]", re.DOTALL)
"""As far as the last byte that is a character by itself in all charsets of `_GUESSES`."""

_WESTERN = "cp1252"
_GUESSES = [
    *("utf_8", _WESTERN, "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "koi8_r"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949", "utf_16_le", "utf_16_be"),
]
"""What is found on the web. Among all that Python knows, French looks like Czech on an old Macintosh."""

_TOLERATED = 1 / 50
"""So many of the characters beyond ASCII may be unreadable before a charset counts as wrong."""

_TOLERATED_IN_UTF8 = 1 / 3
"""More in UTF-8, where it takes more than chance to be readable at all."""


def characters(body: bytes, charset: str | None) -> str:
    """The text of a body; `charset` is what its sender calls it, which is often enough wrong.

    A byte order mark decides; then what the bytes can only be by intent: UTF-8, UTF-16, ISO-2022-JP;
    then the sender's word, the document's own, and a guess. What cannot be read becomes U+FFFD.
    """
    for mark, name in _BOMS:
        if body.startswith(mark):
            return body[len(mark) :].decode(name, "replace")
    for label in (_shown(body), charset, _declared(body)):
        if not label:
            continue
        text = _decoded(body, label)
        if text is not None and _is_good(text, _TOLERATED_IN_UTF8 if label == "utf-8" else _TOLERATED):
            return text
    return _guessed(body)


def _decoded(body: bytes, label: str) -> str | None:
    """The body by a charset's label as the web understands it, where latin-1 means windows-1252."""
    import webencodings

    encoding = webencodings.lookup(label)
    if encoding is None or encoding.name == "x-user-defined":  # which makes no text of any byte beyond ASCII
        return None
    text: str = encoding.codec_info.decode(body, "replace")[0]
    return text


def _shown(body: bytes) -> str | None:
    """The charset that the bytes themselves tell of, if they tell of one."""
    # text in UTF-16 has spaces and line ends, of which every other byte is NUL
    nuls = [body[start:_HEAD:2].count(0) for start in (0, 1)]
    if max(nuls) > len(body[:_HEAD]) // 16 and min(nuls) == 0:
        return "utf-16be" if nuls[0] else "utf-16le"
    if not body.isascii():
        return "utf-8"
    return "iso-2022-jp" if b"\x1b$" in body else None


def _declared(body: bytes) -> str | None:
    if found := _DECLARED.search(body[:_HEAD]):
        label = (found[1] or found[2]).decode("ascii", "replace").lower()
        # a document that could be read as far as this is not in UTF-16
        return "utf-8" if label.startswith("utf-16") else label
    return None


def _is_good(text: str, tolerated: float) -> bool:
    unreadable = text.count("\ufffd")
    if not unreadable:
        return True
    beyond_ascii = len(text) - len(text.encode("ascii", "ignore"))
    return unreadable <= tolerated * beyond_ascii


def _guessed(body: bytes) -> str:
    from charset_normalizer import from_bytes

    telling = _BEYOND_ASCII.search(body)
    start = max(telling.start() - _GUESSED_BEFORE, 0) if telling else 0
    sample = body[start : start + _GUESSED_FROM]
    if start + len(sample) < len(body):
        # a character that is cut in two would speak against its charset, and most that can be have two bytes
        whole = _AS_FAR_AS_SURE.match(sample)
        sample = sample[: len(sample) - (len(sample) - (whole.end() if whole else 0)) % 2]
    matches = from_bytes(sample, cp_isolation=_GUESSES)
    best = matches.best()
    for match in matches:
        if best and match.encoding == _WESTERN and _marks(match) == _marks(best):
            best = match
    return body.decode(best.encoding if best else "utf-8", "replace")


def _marks(match: "CharsetMatch") -> tuple[float, float]:
    return match.chaos, match.coherence
