"""Cookies within one download: kept from redirect to redirect by the rules of RFC 6265, and no longer.

The standard library's jar decides which cookie a host and a path get. Its defaults are those of the nineties,
so the policy here is stricter: a cookie without a domain goes back to its own host only, an address has no
subdomains, and a secure cookie needs https. Domains such as `co.uk` are refused by its short list; a list of
all public suffixes is not worth its size for a jar that lives for seconds and holds no login.
"""

import ipaddress
import warnings
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Final
from urllib.request import Request

import httpx

MAX_COOKIES: Final = 50
MAX_COOKIE_BYTES: Final = 4096
"""Of one cookie, with its name and attributes: as much as RFC 6265 asks of a client."""

MAX_ALL_BYTES: Final = 8192
"""Of all names and values. Servers reject requests with longer headers."""


class DownloadCookies:
    """The cookies of one download."""

    def __init__(self) -> None:
        self._jar = CookieJar(_Policy())
        self._cookies = httpx.Cookies(self._jar)

    def add_to(self, request: httpx.Request) -> None:
        """Set the Cookie header of a request to its URL's cookies, if it has any."""
        self._cookies.set_cookie_header(request)

    def store(self, response: httpx.Response, request: httpx.Request) -> bool:
        """Keep the cookies of a response, as far as they fit. Returns whether anything changed."""
        before = self._values()
        for line in response.headers.get_list("set-cookie")[:MAX_COOKIES]:
            if line.isascii() and len(line) <= MAX_COOKIE_BYTES:
                self._store_one(line, request)
        kept = 0
        for number, cookie in enumerate(list(self._jar), 1):
            kept += len(cookie.name) + len(cookie.value or "")
            if number > MAX_COOKIES or kept > MAX_ALL_BYTES:
                self._jar.clear(cookie.domain, cookie.path, cookie.name)
        return self._values() != before

    def _store_one(self, line: str, request: httpx.Request) -> None:
        response = httpx.Response(200, headers=[("set-cookie", line)], request=request)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the jar warns of an invalid cookie, and quotes it
            self._cookies.extract_cookies(response)

    def _values(self) -> set[tuple[str, str, str, str | None]]:
        return {(each.domain, each.path, each.name, each.value) for each in self._jar}


class _Policy(DefaultCookiePolicy):
    """Which cookies are kept, and which are sent."""

    def __init__(self) -> None:
        super().__init__(strict_domain=True, strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain)

    def set_ok(self, cookie: Cookie, request: Request) -> bool:
        if not f"{cookie.name}{cookie.value or ''}".isprintable():
            return False  # a header cannot contain it
        if (cookie.secure or cookie.name.startswith(("__Secure-", "__Host-"))) and not (
            cookie.secure and request.type == "https"
        ):
            return False
        if cookie.name.startswith("__Host-") and (cookie.domain_specified or cookie.path != "/"):
            return False
        host = (request.host or "").rpartition("@")[2]
        if cookie.domain_specified and _is_address(host):
            return False
        return super().set_ok(cookie, request)


def _is_address(host: str) -> bool:
    """Whether a host, with or without a port, is an IP address."""
    name = host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
