"""The first tool: a web page's main text."""

from typing import Annotated

from pydantic import Field

from upcall.documents.paging import MAX_CHARACTERS, Piece
from upcall.tool import tool


class Page(Piece):
    """A piece of the text of what was found at `url`, which is where the last redirect led."""

    url: str


def fetch(
    url: Annotated[str, Field(description="The page's address: http or https, public, no login.")],
    offset: Annotated[int, Field(ge=0, description="Where in the text to begin.")] = 0,
) -> Page:
    """Fetch a web page, a PDF or a text file and return its title, main text and links.

    A long text comes in pieces: if next_offset is a number, call again with it as the offset.
    """
    from upcall.documents import read
    from upcall.web.download import download

    found = download(url)
    enough = offset + MAX_CHARACTERS
    document = read(found.body, found.media_type, found.charset, enough=enough, url=found.url)
    return Page.of(document, offset, url=found.url)


lambda_handler = tool(fetch)
