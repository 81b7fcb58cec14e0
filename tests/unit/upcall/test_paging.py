"""A long text in pieces that, put together, are the text."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upcall.documents import Document, Link
from upcall.documents.paging import MAX_CHARACTERS, MAX_LINKS, Piece
from upcall.domain.errors import ToolError
from upcall.domain.json_size import json_bytes


def pieces(document: Document, room: int) -> list[Piece]:
    """All pieces, as a model gets them that follows `next_offset`."""
    found = [Piece.of(document, 0).fit(room)]
    while (offset := found[-1].next_offset) is not None:
        found.append(Piece.of(document, offset).fit(room))
    return found


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@settings(max_examples=200, deadline=None)
@given(text=texts, times=st.integers(1, 40), room=st.integers(150, 3000))
def test_the_pieces_put_together_are_the_text_and_each_fits(text: str, times: int, room: int) -> None:
    document = Document(text * times, "A title")

    found = pieces(document, room)

    assert "".join(piece.text for piece in found) == document.text
    assert all(json_bytes(piece.model_dump_json()) <= room for piece in found)
    assert found[-1].next_offset is None


@pytest.mark.parametrize("room", [0, 1, 50])
def test_however_small_the_room_the_text_comes_to_an_end(room: int) -> None:
    found = pieces(Document("abc"), room)

    assert [piece.text for piece in found] == ["a", "b", "c"]


def test_a_text_that_is_longer_than_any_output_goes_on_behind_it() -> None:
    document = Document("x" * (MAX_CHARACTERS + 10))

    first = Piece.of(document, 0)

    assert (len(first.text), first.next_offset) == (MAX_CHARACTERS, MAX_CHARACTERS)
    assert Piece.of(document, MAX_CHARACTERS).text == "x" * 10


def test_an_offset_beyond_the_end_says_where_the_end_is() -> None:
    with pytest.raises(ToolError, match="the text ends at 5; there is nothing at offset 9"):
        Piece.of(Document("hello"), 9)


def test_a_document_without_text_is_one_empty_piece() -> None:
    (piece,) = pieces(Document(""), 500)

    assert (piece.text, piece.next_offset) == ("", None)


def test_links_are_those_in_the_piece() -> None:
    links = tuple(Link(f"link {n}", f"https://example.com/{n}") for n in range(100, 200))
    document = Document("link 100, link 150 and nothing else", links=links)

    assert [link.text for link in Piece.of(document, 0).links] == ["link 100", "link 150"]
    crowded = Document(" ".join(link.text for link in links), links=links)
    assert len(Piece.of(crowded, 0).links) == MAX_LINKS


def test_a_link_goes_with_the_text_that_it_is_in() -> None:
    link = Link("far away", "https://example.com/far")
    found = pieces(Document("near " * 1000 + "far away", links=(link,)), 3000)

    assert [piece.links for piece in found[:-1]] == [()] * (len(found) - 1)
    assert found[-1].links == (link,)


@settings(max_examples=50, deadline=None)
@given(room=st.integers(300, 5000))
def test_links_leave_most_of_the_room_to_the_text(room: int) -> None:
    links = tuple(Link(f"link {n}", "https://example.com/" + "x" * 200 + str(n)) for n in range(10, 50))
    document = Document(" ".join(link.text for link in links) + " word" * 5000, links=links)

    piece = Piece.of(document, 0).fit(room)

    assert json_bytes(piece.model_dump_json()) <= room
    assert sum(len(link.url) for link in piece.links) <= room // 4


def test_the_longest_piece_is_made_to_fit_at_once() -> None:
    piece = Piece.of(Document('ä"\n😀' * MAX_CHARACTERS), 0)
    start = time.monotonic()
    piece.fit(200_000)

    assert time.monotonic() - start < 5
