"""The whole text of HTML pages that are parsed as a stream."""

import pytest

from upcall.documents import html_stream
from upcall.documents.html_stream import extract_whole_text, has_oversized_tag


def test_the_whole_text_has_a_line_for_each_block_and_no_hidden_text() -> None:
    document = extract_whole_text(
        "<head><title>T</title><style>p{}</style></head><body><script>var x</script><p>One</p><p>two "
        "<b>three</b></p><svg><text>pixel</text></svg><noscript>no</noscript><ul><li>a<li>b</ul></body>"
    )

    assert document.text == "One\ntwo three\na\nb"
    assert document.title == "T"


def test_a_tag_with_more_than_a_thousand_attributes_is_oversized() -> None:
    def page(attributes: int) -> str:
        return "<p " + " ".join(f"a{n}=1" for n in range(attributes)) + ">x</p>"

    assert has_oversized_tag(page(1001))
    assert not has_oversized_tag(page(1000))


def test_a_page_that_takes_too_long_is_read_in_part_and_the_text_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(html_stream, "MAX_SECONDS", 0.2)

    text = extract_whole_text("<p>" + "a&amp;" * 1_600_000).text

    assert text.startswith("a&a&a&")
    assert text.endswith("\n[the rest of the page is left out: it takes too much time to read]")
