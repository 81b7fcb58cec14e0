"""The content of `<meta http-equiv="refresh">` and of the header Refresh."""

import re
from dataclasses import dataclass
from typing import Final

MAX_CHARACTERS: Final = 5000
"""Of the content of a refresh."""

_REFRESH: Final = re.compile(r"\s*(?P<seconds>\d+|(?=\.))[\d.]*(?P<rest>.*)", re.DOTALL)
_REFRESH_URL: Final = re.compile(r"(?:\s*[;,]|\s)\s*(?P<url>.+)", re.DOTALL)
_URL_PREFIX: Final = re.compile(r"url\s*=\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Refresh:
    """A page that leads to another one, or to itself, after some seconds.

    `url` is as written, or absolute; "" is the page itself.
    """

    seconds: int
    url: str


def parse_refresh(content: str) -> Refresh | None:
    """The content of `<meta http-equiv="refresh">`, or of the header Refresh, as browsers read it.

    https://html.spec.whatwg.org/multipage/semantics.html#attr-meta-http-equiv-refresh
    """
    if len(content) > MAX_CHARACTERS or not (found := _REFRESH.match(content)):
        return None
    seconds = int(found["seconds"][:6] or "0")
    rest = found["rest"].strip()
    if not rest:
        return Refresh(seconds, "")
    following = _REFRESH_URL.fullmatch(found["rest"])
    if following is None:
        return None if rest not in (";", ",") else Refresh(seconds, "")
    url = following["url"].lstrip(";, \t\r\n")
    if prefix := _URL_PREFIX.match(url):
        url = url[prefix.end() :]
    if url[:1] in ("'", '"'):
        url = url[1:].partition(url[0])[0]
    return Refresh(seconds, url.strip())
