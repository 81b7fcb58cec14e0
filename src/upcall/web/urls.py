"""URLs that strangers name: what may be asked for, decided before anything is looked up."""

from typing import Final

import httpx

from upcall import config
from upcall.domain.errors import ToolError
from upcall.web.ssrf import check_authority

MAX_URL_CHARACTERS: Final = 4096


def checked_url(url: str, base: httpx.URL | None = None) -> httpx.URL:
    """A URL that may be asked for; `base` is what a relative one is relative to. Raises ToolError."""
    url = url.strip()
    if len(url) > MAX_URL_CHARACTERS:
        raise ToolError(f"the URL is longer than {MAX_URL_CHARACTERS:,} characters")
    if "\\" in url or not url.isprintable():
        raise ToolError("the URL holds a character that no URL may hold")
    try:
        target = httpx.URL(url) if base is None else base.join(url)
        host, port = target.raw_host.decode("ascii"), target.port
    except (httpx.InvalidURL, ValueError) as error:
        raise ToolError(f"this is not a URL: {error}") from None
    if target.scheme not in ("http", "https"):
        raise ToolError("only http and https URLs can be fetched")
    check_authority(host, port, names_user=bool(target.userinfo))
    _check_domain(host)
    return target.copy_with(fragment=None)


def _check_domain(host: str) -> None:
    """Raise ToolError for a host outside of the domains that the operator allows, if there are some."""
    allowed = config.allowed_domains()
    name = host.lower().rstrip(".")
    if allowed and not any(name == domain or name.endswith(f".{domain}") for domain in allowed):
        raise ToolError(f"{host} is not allowed here; these domains are: {', '.join(sorted(allowed))}")
