"""Main text, title and links of HTML pages."""

import time
from typing import Never

import pytest

from local import sample_pages
from upcall.documents import html
from upcall.documents.html import read_html

TIDES = (sample_pages.FOLDER / "tides.html").read_text("utf-8")
URL = "https://example.com/articles/one"

ARTICLE = """<html><head><title>A title - A site</title></head><body>
<nav><a href="/">Home</a> <a href="/about">About the site</a></nav>
<article><h1>A title</h1>
<p>The first sentence of the article says what it is about, and it links to
<a href="../sources#page-2">the sources</a> and to <a href="https://other.example/">another site</a>.</p>
<p>The second paragraph goes on for long enough to be taken for the text of an article, which it is,
and mentions <a href="mailto:me@example.com">the author</a> and <a href="#top">the top</a>.</p></article>
<section id="comments"><h2>Comments</h2><p>First! I am a comment and nothing that the author said.</p></section>
<footer>All rights reserved by somebody.</footer></body></html>"""


def test_the_main_text_is_the_article_without_navigation_and_comments() -> None:
    document = read_html(ARTICLE, URL)

    assert "The first sentence of the article" in document.text
    assert "The second paragraph goes on" in document.text
    for other in ("About the site", "I am a comment", "All rights reserved", "<p>"):
        assert other not in document.text


def test_links_are_absolute_and_point_to_other_pages() -> None:
    links = {link.text: link.url for link in read_html(ARTICLE, URL).links}

    assert links["the sources"] == "https://example.com/sources"
    assert links["another site"] == "https://other.example/"
    assert not {"the author", "the top"} & set(links)


@pytest.mark.parametrize(
    ("bases", "expected"),
    [
        ('<base href="https://cdn.example/v2/">', "https://cdn.example/v2/next"),
        ('<base href="/other/">', "https://example.com/other/next"),
        ('<base href="sub/dir/">', "https://example.com/articles/sub/dir/next"),
        ('<base href="//cdn.example">', "https://cdn.example/next"),
        ('<base href=" https://cdn.example/a ">', "https://cdn.example/next"),
        (
            '<base href="https://first.example/"><base href="https://second.example/">',
            "https://first.example/next",
        ),
        ('<base target="_blank"><base href="https://second.example/">', "https://second.example/next"),
        ("<base>", "https://example.com/articles/next"),
        ('<base href="">', "https://example.com/articles/next"),
        ('<base href="javascript:alert(1)//">', "https://example.com/articles/next"),
        (
            '<base href="data:text/html,x"><base href="https://b.example/">',
            "https://example.com/articles/next",
        ),
        ('<base href="file:///etc/">', "https://example.com/articles/next"),
        ('<base href="http://[">', "https://example.com/articles/next"),
        ("</head><body><base href='https://late.example/'>", "https://late.example/next"),
    ],
)
def test_links_are_relative_to_the_first_base_of_the_page(bases: str, expected: str) -> None:
    page = f"<html><head>{bases}</head><body><p>Go to the <a href='next'>next page</a> now.</p></body></html>"

    assert [link.url for link in read_html(page, URL).links] == [expected]


def test_a_base_makes_links_of_a_stored_page_absolute() -> None:
    page = (
        '<head><base href="https://example.com/a/"></head><body><p>Go to the <a href="b">next page</a>.</p>'
    )

    assert [link.url for link in read_html(page, "").links] == ["https://example.com/a/b"]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<title>One</title><h1>Two</h1><p>x</p>", "One"),
        ("<head><meta property='og:title' content='Zero'><title>One</title></head><p>x</p>", "Zero"),
        ("<body><h1>Two <b>words</b></h1><p>x</p></body>", "Two words"),
        ("<body><p>x</p></body>", None),
        ("<title>\n  A   \n title </title><p>x</p>", "A title"),
    ],
)
def test_the_title_comes_from_the_page(page: str, title: str | None) -> None:
    assert read_html(page, URL).title == title


@pytest.mark.parametrize(
    "page",
    ["just words", "<p>just words</p>", "<td>just words", "<b><i>just words</i>", "<x-y>just words</x-y>"],
)
def test_the_whole_text_is_used_if_there_is_no_main_text(page: str) -> None:
    assert read_html(page, URL).text.strip() == "just words"


def test_a_page_that_is_too_large_for_a_tree_is_read_as_a_stream() -> None:
    page = "<html><body>" + "".join(f"<p>line {n}</p>" for n in range(60_000)) + "</body></html>"

    lines = read_html(page, URL).text.splitlines()

    assert (len(lines), lines[0], lines[-1]) == (60_000, "line 0", "line 59999")


def test_a_page_that_takes_too_long_for_a_tree_is_read_as_a_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(*_: object, **__: object) -> Never:
        while True:
            time.process_time()

    monkeypatch.setattr(html, "MAX_TREE_SECONDS", 0.2)
    monkeypatch.setattr("trafilatura.extract", extract)
    document = read_html(ARTICLE, URL)

    assert document.title == "A title - A site"
    assert "The second paragraph goes on" in document.text


@pytest.mark.parametrize("error", [MemoryError, RecursionError, ValueError])
def test_a_page_that_trafilatura_cannot_read_is_read_as_a_stream(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def extract(*_: object, **__: object) -> Never:
        raise error

    monkeypatch.setattr("trafilatura.extract", extract)

    assert "The second paragraph goes on" in read_html(ARTICLE, URL).text


@pytest.mark.parametrize("needed", [0, 1, 10, 100, 10_000])
def test_a_page_without_a_tree_is_read_until_there_is_more_than_needed(needed: int) -> None:
    page = (
        "<html><body>" + "".join(f"<p> line  <b> {n} </b> </p>" for n in range(20_000)) * 3 + "</body></html>"
    )
    whole, part = read_html(page, URL).text, read_html(page, URL, needed).text

    assert whole.startswith(part)
    assert needed < len(part) < needed + 20
