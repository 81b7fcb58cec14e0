"""A tool that reads a document in the stack's bucket."""

from typing import Annotated

from pydantic import Field

from upcall.documents.paging import MAX_CHARACTERS, DocumentPart
from upcall.domain.errors import NotFound, ToolError
from upcall.tool import tool

MAX_BYTES = 10_000_000
"""Of an object, before and after decompression: as much as `fetch` downloads."""


class ObjectPart(DocumentPart):
    """A part of the text of the object `key`."""

    key: str


def read_object(
    key: Annotated[
        str, Field(min_length=1, max_length=1024, description="The object's key, exactly as given.")
    ],
    offset: Annotated[int, Field(ge=0, description="Where in the text to begin.")] = 0,
) -> ObjectPart:
    """Read a stored document and return its title and text.

    It may be a PDF, a page, a Word or Excel file, an e-mail, CSV, JSON or another text, also with gzip.

    A long text is returned in parts: if next_offset is a number, call again with it as the offset.
    """
    from upcall.aws.s3 import get_object
    from upcall.documents.content_encoding import decode
    from upcall.documents.extraction import extract_document, start_worker
    from upcall.documents.media_type import parse_content_type

    start_worker()  # while the object is being downloaded
    try:
        stored = get_object(key)
    except NotFound as error:
        raise ToolError(str(error)) from None
    body = b"".join(decode(stored.chunks, stored.content_encoding.split(","), MAX_BYTES))
    media_type, charset = parse_content_type(stored.content_type)
    document = extract_document(
        body, media_type, charset, needed_characters=offset + MAX_CHARACTERS, name=key
    )
    return ObjectPart.from_document(document, offset, key=key)


lambda_handler = tool(read_object, reads="stack")
