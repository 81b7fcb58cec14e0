"""Text of what was found somewhere: from bytes and what is said of them to a title, a text, links."""

from upcall.documents.document import Document, Link
from upcall.documents.reading import read

__all__ = ["Document", "Link", "read"]
