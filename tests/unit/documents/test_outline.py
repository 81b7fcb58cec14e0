"""Where a page leads by itself."""

import time

import pytest

from upcall.documents.find_refresh import find_refresh
from upcall.documents.outline import MAX_ADDRESSES, read_outline
from upcall.documents.refresh import Refresh, parse_refresh

URL = "https://example.com/dir/page"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("0; url=https://other.example/", Refresh(0, "https://other.example/")),
        ("0;URL='/next'", Refresh(0, "/next")),
        ('5 ; url = "/a b"rest', Refresh(5, "/a b")),
        ("3, url=/next", Refresh(3, "/next")),
        ("3 url=/next", Refresh(3, "/next")),
        ("3 /next", Refresh(3, "/next")),
        ("0; /next", Refresh(0, "/next")),
        ("0.5;url=/next", Refresh(0, "/next")),
        (".5;url=/next", Refresh(0, "/next")),
        ("1;url", Refresh(1, "url")),
        ("0;url=", Refresh(0, "")),
        ("30", Refresh(30, "")),
        ("30;", Refresh(30, "")),
        (" 7 ", Refresh(7, "")),
        ("", None),
        ("url=/next", None),
        ("; url=/next", None),
        ("-1; url=/next", None),
        ("0url=/next", None),
        ("5; url=" + "x" * 6000, None),
        ("9" * 900 + ";url=/x", Refresh(999_999, "/x")),
    ],
)
def test_a_refresh_is_read_as_browsers_do(content: str, expected: Refresh | None) -> None:
    assert parse_refresh(content) == expected


@pytest.mark.parametrize(
    ("page", "media_type", "header", "expected"),
    [
        ('<meta http-equiv="refresh" content="0;url=next">', "text/html", "", "https://example.com/dir/next"),
        ('<meta http-equiv="refresh" content="0;url=next">', "", "", "https://example.com/dir/next"),
        ('<meta http-equiv="refresh" content="0;url=next">', "text/plain", "", None),
        (
            '<base href="/b/"><meta http-equiv=refresh content="0;url=n">',
            "text/html",
            "",
            "https://example.com/b/n",
        ),
        ('<meta http-equiv="refresh" content="0">', "text/html", "", URL),
        ('<meta http-equiv="refresh" content="0;url=javascript:x()">', "text/html", "", None),
        ('<meta http-equiv="refresh" content="0;url=http://[">', "text/html", "", None),
        ("<!--" + " " * 70_000 + '--><meta http-equiv="refresh" content="0;url=n">', "text/html", "", None),
        ("", "text/plain", "0; url=/next", "https://example.com/next"),
        ("", "text/plain", "nonsense", None),
    ],
)
def test_the_refresh_of_a_response_has_an_absolute_url(
    page: str, media_type: str, header: str, expected: str | None
) -> None:
    refresh = find_refresh(page.encode(), media_type, URL, header)

    assert (refresh and refresh.url) == expected


@pytest.mark.parametrize(
    "body",
    [
        "http-equiv=" + " " * 70_000,
        "<meta http-equiv=refresh content='5" + " " * 4900 + "x'>",
        *(
            "<meta http-equiv=refresh content=x>" + unit * 70_000
            for unit in (
                "<meta http-equiv=refresh ",
                "<meta content=' ",
                "<a b=",
                "<i>",
                "<!--",
                "<",
                "&amp;",
            )
        ),
    ],
    ids=lambda body: body[-20:],
)
def test_looking_for_a_refresh_takes_no_time(body: str) -> None:
    start = time.process_time()
    find_refresh(body.encode(), "text/html", URL)

    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<META HTTP-EQUIV="Refresh" CONTENT="0;url=/a">', "/a"),
        ('<body><p>x<meta http-equiv=refresh content="0;url=/a">', "/a"),
        ('<noscript><meta http-equiv="refresh" content="0;url=/a"></noscript>', "/a"),
        ('<meta http-equiv="refresh" content="x"><meta http-equiv="refresh" content="0;url=/b">', "/b"),
        (
            '<meta http-equiv="refresh" content="0;url=/a"><meta http-equiv="refresh" content="0;url=/b">',
            "/a",
        ),
        ('<meta http-equiv="refresh" content="0;url=/?a=1&amp;b=2">', "/?a=1&b=2"),
        ('<!-- <meta http-equiv="refresh" content="0;url=/a"> -->', None),
        ('<script>\'<meta http-equiv="refresh" content="0;url=/a">\'</script>', None),
        ('<template><meta http-equiv="refresh" content="0;url=/a"></template>', None),
        ('<textarea><meta http-equiv="refresh" content="0;url=/a"></textarea>', None),
        ('<p title="<meta http-equiv=refresh content=0>">x', None),
        ("<meta name=refresh content='0;url=/a'>", None),
    ],
)
def test_the_first_refresh_of_a_page_counts(page: str, expected: str | None) -> None:
    refresh = read_outline(page, URL).refresh

    assert (refresh and refresh.url) == expected


def test_lists_have_a_bounded_length() -> None:
    page = "".join(f'<iframe src="/{number}"></iframe><img alt="{number}">' for number in range(1000))
    outline = read_outline(page, URL)

    assert (len(outline.frames), len(outline.image_texts), outline.images) == (
        MAX_ADDRESSES,
        MAX_ADDRESSES,
        1000,
    )


def test_hidden_text_is_no_text_of_the_page() -> None:
    outline = read_outline("<title>t</title><style>a{}</style>One <b>two</b><script>x</script>", URL)

    assert outline.text == "One two"
