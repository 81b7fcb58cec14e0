"""What reading comes to: a text, with its title and its links."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Link:
    """A link of a document: what it says, and where it leads."""

    text: str
    url: str


@dataclass(frozen=True)
class Document:
    """A document as people read it. `text` may stop short beyond what was asked for."""

    text: str
    title: str | None = None
    links: tuple[Link, ...] = ()
