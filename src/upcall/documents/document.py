"""A document after parsing: a text, with its title and its links."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A link of a document: its text and its absolute URL."""

    text: str
    url: str


@dataclass(frozen=True)
class Document:
    """A document's text, title and links. `text` may stop after the number of characters that was needed."""

    text: str
    title: str | None = None
    links: tuple[Link, ...] = ()
