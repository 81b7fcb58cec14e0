"""A long document in pieces: each says where the next begins."""

from typing import Self

from upcall.documents.document import Document, Link
from upcall.domain.errors import ToolError
from upcall.domain.json_size import json_bytes, longest_prefix
from upcall.domain.model import Model
from upcall.domain.state_budget import MAX_STATE_BYTES

MAX_CHARACTERS = MAX_STATE_BYTES
"""Of one piece: no output of a tool holds more, for it passes through the workflow's state."""

MAX_LINKS = 40

LINKS_SHARE = 4
"""Links take at most one part in so many of the room that there is."""


class Piece(Model):
    """A part of a document's text, from `offset` (in characters) on, with the links in it.

    `next_offset` is null where the text ends. The pieces that one gets by following it are the text
    when they are put together.
    """

    title: str | None
    text: str
    links: tuple[Link, ...] = ()
    offset: int
    next_offset: int | None = None

    @classmethod
    def of(cls, document: Document, offset: int, **fields: str) -> Self:
        """The piece of a document that begins at `offset`. Raises ToolError beyond the text's end."""
        whole = document.text
        if offset and offset >= len(whole):
            raise ToolError(f"the text ends at {len(whole)}; there is nothing at offset {offset}")
        text = whole[offset : offset + MAX_CHARACTERS]
        end = offset + len(text)
        return cls.model_validate(
            {
                **fields,
                "title": document.title,
                "text": text,
                "links": [link for link in document.links if link.text in text][:MAX_LINKS],
                "offset": offset,
                "next_offset": end if end < len(whole) else None,
            }
        )

    def fit(self, max_bytes: int) -> Self:
        """The piece with as much of its text as `max_bytes` hold, and the offset of the rest.

        Holds one character at least, so that whoever follows the offsets gets to the end.
        """
        piece = self
        while piece.links and _size(piece.links) > max_bytes // LINKS_SHARE:
            piece = piece.model_copy(update={"links": piece.links[:-1]})
        kept = longest_prefix(
            piece.text,
            lambda start: json_bytes(piece._cut(len(start)).model_dump_json()) <= max_bytes,
            max_bytes,
        )
        return piece._cut(max(len(kept), 1))

    def _cut(self, length: int) -> Self:
        if length >= len(self.text):
            return self
        text = self.text[:length]
        links = tuple(link for link in self.links if link.text in text)
        return self.model_copy(update={"text": text, "links": links, "next_offset": self.offset + length})


def _size(links: tuple[Link, ...]) -> int:
    return sum(json_bytes(link.text) + json_bytes(link.url) for link in links)
