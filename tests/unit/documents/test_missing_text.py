"""Pages without text: what they are, in words that a model can act on. Pages with text are left alone."""

import pytest

from upcall.documents import Document, read_document
from upcall.domain.errors import ToolError

URL = "https://example.com/dir/page"

BY_SCRIPT = (
    "drawn by JavaScript, which this tool does not run; look for an API of the site, or for another page"
)
LOGIN = "the page asks for a login"
CHECK = "the site checks that its visitors are browsers"

APP = '<html><head><title>App</title></head><body>{}<div id="root"></div><script src="/app.js"></script></body></html>'


def read(page: str) -> Document:
    return read_document(page.encode(), "text/html", "utf-8", needed_characters=1000, url=URL)


def reason(page: str) -> str:
    with pytest.raises(ToolError) as caught:
        read(page)
    return str(caught.value)


@pytest.mark.parametrize(
    "page",
    [
        APP.format(""),
        APP.format("<noscript>You need to enable JavaScript to run this app.</noscript>"),
        APP.format("<noscript>Bitte aktivieren Sie JavaScript.</noscript><header>Shop</header>"),
        APP.format("<p>This site requires JavaScript.</p>"),
        APP.format("<p>Loading…</p>"),
        APP.format("<div>Please wait</div>"),
        '<html><body><script>document.write("hello")</script></body></html>',
        '<body><my-app></my-app><script type="module" src="main.js"></script>',
    ],
)
def test_a_page_drawn_by_script_is_named_as_one(page: str) -> None:
    assert BY_SCRIPT in reason(page)


def test_what_such_a_page_does_say_is_told() -> None:
    page = (
        '<head><title>Trains</title><meta name="description" content="Departures of today.">'
        '<link rel="alternate" type="application/rss+xml" href="/feed.xml"></head>'
        "<body><noscript>Enable JavaScript.</noscript><script src=a.js></script>"
    )
    message = reason(page)

    assert 'Its title: "Trains"' in message
    assert 'Its description: "Departures of today."' in message
    assert 'All that it says: "Enable JavaScript."' in message
    assert "Other forms of it: https://example.com/feed.xml" in message


@pytest.mark.parametrize(
    ("page", "vendor"),
    [
        (
            "<title>Just a moment...</title><noscript>Enable JavaScript and cookies to continue</noscript>"
            "<script>window._cf_chl_opt = {}</script>",
            "Cloudflare",
        ),
        ('<body><script src="https://ct.captcha-delivery.com/c.js"></script><p>Please enable JS', "DataDome"),
        ('<html><head></head><body><iframe src="/_Incapsula_Resource?x"></iframe></body>', "Imperva"),
        ('<script id="anubis_challenge">{}</script><h1>Making sure you\'re not a bot!</h1>', "Anubis"),
        ("<script>window.gokuProps = {}</script><div id=challenge-container></div>", "AWS WAF"),
        ("<p>Verify you are human</p><div class=g-recaptcha></div>", "reCAPTCHA"),
        ("<h1>Checking your browser</h1><script>x()</script>", "by an unknown service"),
    ],
)
def test_a_page_that_checks_for_a_browser_is_named_as_one(page: str, vendor: str) -> None:
    message = reason(page)

    assert f"{CHECK} ({vendor})" in message
    assert "use another source" in message


@pytest.mark.parametrize(
    "page",
    [
        "<form action=/login><input name=user><input type=password></form>",
        "<h1>Sign in</h1><form>User <input> Password <input type='PassWord'><button>Go</button></form>",
        "<body><form><input type=password></form><script src=a.js></script>",
    ],
)
def test_a_login_is_named_as_one(page: str) -> None:
    assert LOGIN in reason(page)


def test_a_frameset_is_told_with_the_addresses_of_its_frames() -> None:
    message = reason(
        '<title>Old site</title><frameset cols="20%,80%"><frame src="nav.html"><frame src="/main.html#top">'
        '<frame src="javascript:void(0)"><noframes>Your browser has no frames.</noframes></frameset>'
    )

    assert (
        "frames: https://example.com/dir/nav.html, https://example.com/main.html. Fetch one of them"
        in message
    )


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ('<body><iframe src="/inner"></iframe></body>', "https://example.com/inner"),
        ('<body><embed src="paper.pdf" type="application/pdf">', "https://example.com/dir/paper.pdf"),
        ('<body><object data="//cdn.example/x.pdf"></object>', "https://cdn.example/x.pdf"),
        (
            '<base href="/other/"><body><iframe src="inner"></iframe></body>',
            "https://example.com/other/inner",
        ),
    ],
)
def test_a_page_that_only_shows_another_one_is_told_with_its_address(page: str, address: str) -> None:
    assert f"it shows these: {address}. Fetch one of them" in reason(page)


def test_a_page_of_images_is_told_with_their_texts() -> None:
    message = reason('<body><img src=a.png alt="A cat  on a mat"><img src=b.png></body>')

    assert "the page shows only images (2), which this tool does not read" in message
    assert 'Texts of its images: "A cat on a mat"' in message


def test_a_refresh_that_is_not_followed_is_told() -> None:
    message = reason('<meta http-equiv="refresh" content="60; url=/next"><body></body>')

    assert "After 60 seconds it leads to https://example.com/next" in message


@pytest.mark.parametrize(
    "page", ["<html></html>", "<!doctype html><title>t</title><body> </body>", "<p>&nbsp;</p>"]
)
def test_a_page_without_anything_says_so(page: str) -> None:
    assert "the page contains no text" in reason(page)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b"", "text/html"),
        (b"", "application/json"),
        (b"", ""),
        (b" \r\n", "text/plain"),
        (b"\xef\xbb\xbf", "text/csv"),
    ],
)
def test_an_empty_document_of_any_kind_says_so(body: bytes, media_type: str) -> None:
    with pytest.raises(ToolError, match=r"the document (is empty|contains no text)|the page is empty"):
        read_document(body, media_type, None, needed_characters=1000)


@pytest.mark.parametrize(
    "page",
    [
        "<p>Hi.</p>",
        "<p>Closed today.</p><script src=analytics.js></script>",
        "<p>Closed today.</p><script src=a.js></script><noscript><img src=/pixel.gif></noscript>",
        "<h1>Loading dock</h1><p>Open from nine to five on every working day.</p><script src=a.js></script>",
        "<p>JavaScript is a language.</p><script src=a.js></script>",
        "<form>Name <input> <div class=g-recaptcha></div> Send</form><script src=a.js></script>",
        "<iframe src=/video></iframe><p>The film of the year.</p>",
        "<p>"
        + "The shop sells bread. " * 20
        + "</p><input type=password><noscript>Enable JavaScript</noscript>",
        "<p>"
        + "The post is long enough. " * 8
        + "</p><noscript>Enable JavaScript to see the comments.</noscript>",
    ],
)
def test_a_page_with_text_is_read_although_it_is_short_or_has_scripts(page: str) -> None:
    assert read(page).text


def test_what_was_found_in_time_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("upcall.documents.missing_text.MAX_SECONDS", 0.01)

    assert BY_SCRIPT in reason("<script></script>" + "<i>" * 150_000)


def test_a_page_of_millions_of_tags_is_explained_in_seconds() -> None:
    assert BY_SCRIPT in reason("<script></script>" + "<i>" * 1_000_000)
