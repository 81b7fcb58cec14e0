"""Which cookies of a response are sent with the next request of the same download."""

import time

import httpx
import pytest

from upcall.web.cookies import MAX_ALL_BYTES, MAX_COOKIE_BYTES, MAX_COOKIES, DownloadCookies


def sent(set_cookies: list[str], *, by: str = "https://www.example.com/a/b", to: str | None = None) -> str:
    """The Cookie header of a request to `to`, after a response of `by` with these Set-Cookie headers."""
    cookies = DownloadCookies()
    store(cookies, set_cookies, by)
    return header(cookies, to or by)


def store(cookies: DownloadCookies, set_cookies: list[str], by: str) -> bool:
    response = httpx.Response(302, headers=[(b"set-cookie", line.encode("latin-1")) for line in set_cookies])
    return cookies.store(response, httpx.Request("GET", by))


def header(cookies: DownloadCookies, to: str) -> str:
    request = httpx.Request("GET", to)
    cookies.add_to(request)
    return str(request.headers.get("cookie", ""))


@pytest.mark.parametrize(
    ("line", "to", "expected"),
    [
        ("a=1", "https://www.example.com/a/c", "a=1"),
        ("a=1", "https://www.example.com/a/b/c", "a=1"),
        ("a=1", "https://www.example.com/other", ""),  # the default path is that of the request's folder
        ("a=1; Path=/", "https://www.example.com/other", "a=1"),
        ("a=1; Path=/x", "https://www.example.com/x/y", "a=1"),
        ("a=1; Path=/x", "https://www.example.com/xy", ""),
        ("a=1; Path=/", "https://example.com/", ""),
        ("a=1; Path=/", "https://api.www.example.com/", ""),  # without Domain it is for its own host
        ("a=1; Path=/", "https://other.test/", ""),
        ("a=1; Path=/; Domain=example.com", "https://example.com/", "a=1"),
        ("a=1; Path=/; Domain=.example.com", "https://api.example.com/", "a=1"),
        ("a=1; Path=/; Domain=EXAMPLE.com", "https://api.example.com/", "a=1"),
        ("a=1; Path=/; Domain=example.com", "https://badexample.com/", ""),
        ("a=1; Path=/; Domain=example.com", "https://example.com.evil.test/", ""),
        ("a=1; Path=/; Domain=other.test", "https://other.test/", ""),
        ("a=1; Path=/; Domain=api.example.com", "https://api.example.com/", ""),
        ("a=1; Path=/; Domain=com", "https://other.com/", ""),
        ("a=1; Path=/; Secure", "https://www.example.com/", "a=1"),
        ("a=1; Path=/; Secure", "http://www.example.com/", ""),
        ("a=1; Path=/; HttpOnly; SameSite=Strict", "http://www.example.com/", "a=1"),
        ("a=1; Path=/; Max-Age=0", "https://www.example.com/", ""),
        ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.example.com/", ""),
        ("a=1; Path=/; Expires=nonsense", "https://www.example.com/", "a=1"),
        ("__Host-a=1; Path=/; Secure", "https://www.example.com/", "__Host-a=1"),
        ("__Host-a=1; Path=/; Secure; Domain=example.com", "https://www.example.com/", ""),
        ("__Secure-a=1; Path=/", "https://www.example.com/", ""),
        ("a=b=c", "https://www.example.com/a/", "a=b=c"),
        ("", "https://www.example.com/a/", ""),
        ("a=\xe4", "https://www.example.com/a/", ""),
    ],
)
def test_a_cookie_is_sent_to_its_domain_and_path(line: str, to: str, expected: str) -> None:
    assert sent([line], to=to) == expected


def test_a_public_suffix_of_a_country_has_no_cookies() -> None:
    line = "a=1; Path=/; Domain=co.uk"
    assert sent([line], by="https://a.co.uk/", to="https://b.co.uk/") == ""


@pytest.mark.parametrize("host", ["192.0.2.1", "[2001:db8::1]"])
def test_an_address_has_no_subdomains(host: str) -> None:
    assert sent(["a=1; Domain=.0.2.1"], by="http://192.0.2.1/", to="http://9.0.2.1/") == ""
    assert sent(["a=1"], by=f"http://{host}/") == "a=1"


def test_a_secure_cookie_is_not_taken_from_http() -> None:
    assert sent(["a=1; Secure"], by="http://www.example.com/", to="https://www.example.com/") == ""


def test_a_later_cookie_replaces_an_earlier_one() -> None:
    cookies = DownloadCookies()

    assert store(cookies, ["a=1", "b=1"], "https://example.com/") is True
    assert store(cookies, ["a=2"], "https://example.com/") is True
    assert store(cookies, ["a=2"], "https://example.com/") is False
    assert sorted(header(cookies, "https://example.com/").split("; ")) == ["a=2", "b=1"]


def test_an_invalid_cookie_does_not_hide_the_others() -> None:
    assert sent([f"a=1; Max-Age={'9' * 400}", "b=\xe4", "c=\x01", "d=1"]).endswith("d=1")


def test_number_and_size_of_cookies_are_limited() -> None:
    by = "https://example.com/"
    many = [f"name{number}=1" for number in range(10 * MAX_COOKIES)]
    large = [f"name{number}={'x' * 1000}" for number in range(MAX_COOKIES)]

    assert sent(many, by=by).count("=") == MAX_COOKIES
    assert 0 < len(sent(large, by=by)) <= MAX_ALL_BYTES + 2 * MAX_COOKIES
    assert sent([f"a={'x' * MAX_COOKIE_BYTES}"], by=by) == ""


def test_cookies_of_many_responses_are_limited_together() -> None:
    cookies = DownloadCookies()
    for number in range(5):
        names = [f"name{number}_{each}=1" for each in range(MAX_COOKIES)]
        store(cookies, names, f"https://host{number}.example.com/")

    total = sum(header(cookies, f"https://host{number}.example.com/").count("=") for number in range(5))
    assert total == MAX_COOKIES


@pytest.mark.parametrize(
    "line",
    [
        "a=" + " " * 4000 + "x",
        "a=1; " + "Expires=" * 500,
        "a=1; Expires=" + "1-" * 2000,
        "a=1; Expires=" + " " * 4000 + "!",
        ";" * 4000,
        "=" * 4000,
        "a=1" + "; x" * 1300,
        'a="' + "\\" * 4000,
        "a=1; Max-Age=" + "9" * 4000,
        'a=1; Port="' + "1," * 1900 + '"',
    ],
)
def test_no_cookie_takes_long_to_parse(line: str) -> None:
    start = time.process_time()
    sent([line] * MAX_COOKIES)

    assert time.process_time() - start < 1
