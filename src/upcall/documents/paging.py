"""A long document in parts: each says at which offset the next part begins."""

from typing import Self

from upcall.documents.document import Document, Link
from upcall.domain.errors import ToolError
from upcall.domain.json_size import json_bytes, longest_prefix
from upcall.domain.model import Model
from upcall.domain.state_budget import MAX_STATE_BYTES

MAX_CHARACTERS = MAX_STATE_BYTES
"""Of a part. A tool's output passes through the workflow's state, so it cannot contain more."""

MAX_LINKS = 40

MAX_LINKS_SHARE = 0.25
"""Of the output's maximum size: how much of it links may take."""


class DocumentPart(Model):
    """The text of a document from `offset` (in characters) on, with the links in it.

    `next_offset` is null at the end of the text. The parts that `next_offset` leads to, joined, are the
    text.
    """

    title: str | None
    text: str
    links: tuple[Link, ...] = ()
    offset: int
    next_offset: int | None = None

    @classmethod
    def from_document(cls, document: Document, offset: int, **fields: str) -> Self:
        """The part that begins at `offset`. Raises ToolError for an offset beyond the end of the text."""
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

    def truncate_to(self, max_bytes: int) -> Self:
        """The part with as much of its text as fits into `max_bytes`, and the offset of the rest.

        Has at least one character, so that following the offsets reaches the end.
        """
        part = self
        while part.links and _size(part.links) > max_bytes * MAX_LINKS_SHARE:
            part = part.model_copy(update={"links": part.links[:-1]})
        kept = longest_prefix(
            part.text,
            lambda start: json_bytes(part._cut(len(start)).model_dump_json()) <= max_bytes,
            max_bytes,
        )
        return part._cut(max(len(kept), 1))

    def _cut(self, length: int) -> Self:
        if length >= len(self.text):
            return self
        text = self.text[:length]
        links = tuple(link for link in self.links if link.text in text)
        return self.model_copy(update={"text": text, "links": links, "next_offset": self.offset + length})


def _size(links: tuple[Link, ...]) -> int:
    return sum(json_bytes(link.text) + json_bytes(link.url) for link in links)
