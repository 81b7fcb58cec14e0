"""Main text, title and links of pages, good, bad and hostile."""

import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local import sample_pages
from local.config import ROOT
from upcall.documents.html import html
from upcall.documents.html_stream import whole_text

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


def test_the_main_text_is_what_the_author_wrote() -> None:
    document = html(ARTICLE, URL)

    assert "The first sentence of the article" in document.text
    assert "The second paragraph goes on" in document.text
    for noise in ("About the site", "I am a comment", "All rights reserved", "<p>"):
        assert noise not in document.text


def test_links_are_absolute_and_lead_to_other_pages() -> None:
    links = {link.text: link.url for link in html(ARTICLE, URL).links}

    assert links["the sources"] == "https://example.com/sources"
    assert links["another site"] == "https://other.example/"
    assert not {"the author", "the top"} & set(links)


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
def test_the_title_is_the_pages_own(page: str, title: str | None) -> None:
    assert html(page, URL).title == title


@pytest.mark.parametrize(
    "page",
    ["just words", "<p>just words</p>", "<td>just words", "<b><i>just words</i>", "<x-y>just words</x-y>"],
)
def test_where_no_main_text_is_found_the_whole_text_stands_for_it(page: str) -> None:
    assert html(page, URL).text.strip() == "just words"


def test_the_whole_text_leaves_out_what_people_do_not_read() -> None:
    document = whole_text(
        "<head><title>T</title><style>p{}</style></head><body><script>var x</script><p>One</p><p>two "
        "<b>three</b></p><svg><text>pixel</text></svg><noscript>no</noscript><ul><li>a<li>b</ul></body>"
    )

    assert document.text == "One\ntwo three\na\nb"
    assert document.title == "T"


def test_a_page_that_is_too_large_for_a_tree_is_read_all_the_same() -> None:
    page = "<html><body>" + "".join(f"<p>line {n}</p>" for n in range(60_000)) + "</body></html>"

    lines = html(page, URL).text.splitlines()

    assert (len(lines), lines[0], lines[-1]) == (60_000, "line 0", "line 59999")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(["<p>", "</p>", "<div", ">", "<a href='", "x", "&#0;", "<!--", "<table>", "<td>", "</", "\x00", "<svg>", "]]>", "<title>", "<![CDATA[", "é", "😀", "<script>", "<br>", "<template>", "<main>", "'", "\ufffd", "word "]), max_size=40))  # fmt: skip
def test_whatever_a_page_is_made_of_it_is_read(parts: list[str]) -> None:
    document = html("".join(parts), URL)

    assert document.text.encode().decode() == document.text


HOSTILE = {
    "ten megabytes of paragraphs": "'<p>x</p>' * 1_250_000",
    "ten megabytes of links": "'<a href=x>y</a>' * 660_000",
    "elements nested a hundred thousand deep": "'<div><b>' * 100_000 + 'deep'",
    "nested tables": "'<table><tr><td>' * 100_000 + 'deep'",
    "one tag with a million attributes": "'<p ' + ' '.join(f'a{n}=1' for n in range(1_000_000)) + '>x</p>'",
    "a thousand attributes over and over": "('<p ' + ' '.join(f'a{n}=1' for n in range(999)) + '>x</p>') * 300",
    "one line of ten megabytes": "'<p>' + 'x' * 10_000_000",
    "ten megabytes of brackets": "'<' * 10_000_000",
    "comments to look through": "'<div class=comment><p>x</p></div>' * 60_000",
    "data to look through": "'<script type=\"application/ld+json\">' + '\"@type\":[' * 100_000 + '</script><p>x'",
    "cells that span the world": "'<table><tr><td colspan=99999999>x' * 2_000",
    "a comment that never ends": "'<!--' + 'x' * 9_000_000",
}


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_page_takes_neither_the_time_nor_the_memory_of_the_function(page: str) -> None:
    """In a process of its own that may have 512 MB, as the function has on AWS, and no more."""
    code = f"""
from local.memory import peak_megabytes
from upcall.extraction.html import html
html("<p>warm</p>", "")
page = {page}
html(page, "https://example.com/")
print(peak_megabytes())
"""
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-500:]
    assert int(done.stdout) < 400, "megabytes"
    assert time.monotonic() - start < 20
