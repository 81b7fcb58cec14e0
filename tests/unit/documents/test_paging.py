"""A long text in parts that, joined, are the text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcall.documents import Document, Link
from upcall.documents.paging import MAX_CHARACTERS, MAX_LINKS, DocumentPart
from upcall.domain.errors import ToolError
from upcall.domain.json_size import json_bytes


def read_all(document: Document, max_bytes: int) -> list[DocumentPart]:
    """All parts, as a model gets them that follows `next_offset`."""
    parts = [DocumentPart.from_document(document, 0).truncate_to(max_bytes)]
    while (offset := parts[-1].next_offset) is not None:
        parts.append(DocumentPart.from_document(document, offset).truncate_to(max_bytes))
    return parts


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=200, deadline=None)
@given(text=texts, times=st.integers(1, 20), max_bytes=st.integers(150, 3000))
def test_the_parts_joined_are_the_text_and_each_fits(text: str, times: int, max_bytes: int) -> None:
    document = Document(text * times, "A title")

    parts = read_all(document, max_bytes)

    assert "".join(part.text for part in parts) == document.text
    assert all(json_bytes(part.model_dump_json()) <= max_bytes for part in parts)
    assert parts[-1].next_offset is None


@pytest.mark.parametrize("max_bytes", [0, 1, 50])
def test_every_maximum_reaches_the_end_of_the_text(max_bytes: int) -> None:
    parts = read_all(Document("abc"), max_bytes)

    assert [part.text for part in parts] == ["a", "b", "c"]


def test_a_text_longer_than_a_part_continues_in_the_next() -> None:
    document = Document("x" * (MAX_CHARACTERS + 10))

    first = DocumentPart.from_document(document, 0)

    assert (len(first.text), first.next_offset) == (MAX_CHARACTERS, MAX_CHARACTERS)
    assert DocumentPart.from_document(document, MAX_CHARACTERS).text == "x" * 10


def test_an_offset_beyond_the_end_is_an_error_that_names_the_end() -> None:
    with pytest.raises(ToolError, match="the text ends at 5; there is nothing at offset 9"):
        DocumentPart.from_document(Document("hello"), 9)


def test_a_document_without_text_is_one_empty_part() -> None:
    (part,) = read_all(Document(""), 500)

    assert (part.text, part.next_offset) == ("", None)


def test_a_part_has_the_links_in_its_text() -> None:
    links = tuple(Link(f"link {n}", f"https://example.com/{n}") for n in range(100, 200))
    document = Document("link 100, link 150 and nothing else", links=links)

    assert [link.text for link in DocumentPart.from_document(document, 0).links] == ["link 100", "link 150"]
    crowded = Document(" ".join(link.text for link in links), links=links)
    assert len(DocumentPart.from_document(crowded, 0).links) == MAX_LINKS


def test_a_link_is_in_the_part_with_its_text() -> None:
    link = Link("far away", "https://example.com/far")
    parts = read_all(Document("near " * 1000 + "far away", links=(link,)), 3000)

    assert [part.links for part in parts[:-1]] == [()] * (len(parts) - 1)
    assert parts[-1].links == (link,)


@settings(max_examples=50, deadline=None)
@given(max_bytes=st.integers(300, 5000))
def test_links_take_at_most_a_quarter_of_the_maximum(max_bytes: int) -> None:
    links = tuple(Link(f"link {n}", "https://example.com/" + "x" * 200 + str(n)) for n in range(10, 50))
    document = Document(" ".join(link.text for link in links) + " word" * 5000, links=links)

    part = DocumentPart.from_document(document, 0).truncate_to(max_bytes)

    assert json_bytes(part.model_dump_json()) <= max_bytes
    assert sum(len(link.url) for link in part.links) <= max_bytes // 4


def test_the_longest_part_is_truncated_quickly() -> None:
    part = DocumentPart.from_document(Document('ä"\n😀' * MAX_CHARACTERS), 0)
    start = time.thread_time()
    part.truncate_to(200_000)

    assert time.thread_time() - start < 5
