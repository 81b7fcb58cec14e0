"""The whole text of HTML pages that are parsed as a stream."""

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
