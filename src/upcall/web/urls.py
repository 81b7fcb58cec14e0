"""URLs from models and callers: parsed and checked before anything is looked up."""

from typing import Final

import httpx

from upcall import config
from upcall.domain.errors import ToolError
from upcall.web.ssrf import check_authority

MAX_URL_CHARACTERS: Final = 4096


def parse_url(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """The URL without its fragment; `base` is what a relative one is relative to.

    Raises ToolError for one that must not be requested.
    """
    url = url.strip()
    if len(url) > MAX_URL_CHARACTERS:
        raise ToolError(f"the URL is longer than {MAX_URL_CHARACTERS:,} characters")
    if "\\" in url or not url.isprintable():
        raise ToolError("the URL contains a character that is not allowed in a URL")
    try:
        parsed = httpx.URL(url) if base is None else base.join(url)
        host, port = parsed.raw_host.decode("ascii"), parsed.port
    except (httpx.InvalidURL, ValueError) as error:
        raise ToolError(f"this is not a URL: {error}") from None
    if parsed.scheme not in ("http", "https"):
        raise ToolError("only http and https URLs can be fetched")
    check_authority(host, port, has_credentials=bool(parsed.userinfo))
    _check_domain(host)
    return parsed.copy_with(fragment=None)


def _check_domain(host: str) -> None:
    """Raise ToolError for a host outside of the allowed domains. An empty list allows all."""
    allowed = config.allowed_domains()
    name = host.lower().rstrip(".")
    if allowed and not any(name == domain or name.endswith(f".{domain}") for domain in allowed):
        raise ToolError(f"{host} is not allowed; the allowed domains are: {', '.join(sorted(allowed))}")
