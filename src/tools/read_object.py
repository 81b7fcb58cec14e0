"""The text of an object in the stack's own bucket."""

from typing import Annotated

from pydantic import Field

from upcall.documents.paging import MAX_CHARACTERS, Piece
from upcall.domain.errors import NotFound, ToolError
from upcall.tool import tool

MAX_BYTES = 10_000_000
"""Of an object, before and after decompression: as much as a page may have."""


class ObjectText(Piece):
    """A piece of the text of the object `key`."""

    key: str


def read_object(
    key: Annotated[
        str, Field(min_length=1, max_length=1024, description="The object's key, as it is given.")
    ],
    offset: Annotated[int, Field(ge=0, description="Where in the text to begin.")] = 0,
) -> ObjectText:
    """Read a stored document (PDF, HTML, JSON or plain text) and return its title and text.

    A long text comes in pieces: if next_offset is a number, call again with it as the offset.
    """
    from upcall.aws.s3 import get_object
    from upcall.documents import read
    from upcall.documents.content_encoding import decoded

    try:
        found = get_object(key)
    except NotFound as error:
        raise ToolError(str(error)) from None
    body = b"".join(decoded(found.chunks, found.encodings, MAX_BYTES))
    document = read(body, found.media_type, found.charset, enough=offset + MAX_CHARACTERS)
    return ObjectText.of(document, offset, key=key)


lambda_handler = tool(read_object, reads="stack")
