"""Documents as text: from bytes and a media type to a title, a text and links."""

from upcall.documents.document import Document, Link
from upcall.documents.reader import read_document

__all__ = ["Document", "Link", "read_document"]
