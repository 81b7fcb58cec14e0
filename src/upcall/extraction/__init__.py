"""Text of what was found somewhere: from bytes and what is said of them to a title, a text, links."""

from upcall.extraction.document import Document, Link
from upcall.extraction.reading import read

__all__ = ["Document", "Link", "read"]
