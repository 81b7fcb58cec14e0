"""A tool that reads a public web page, a PDF or a text file."""

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field

from upcall.documents.paging import MAX_CHARACTERS, DocumentPart
from upcall.tool import tool


class PagePart(DocumentPart):
    """A part of the text at `url`, the URL after all redirects."""

    url: str


def fetch(
    url: Annotated[str, Field(description="The page's address: http or https, public, no login.")],
    offset: Annotated[int, Field(ge=0, description="Where in the text to begin.")] = 0,
) -> PagePart:
    """Fetch a web page, a PDF or a text file and return its title, main text and links.

    A long text is returned in parts: if next_offset is a number, call again with it as the offset.
    """
    from upcall.documents.extraction import extract_document, start_worker
    from upcall.web.download import download

    start_worker()  # while the page is being downloaded
    page = download(url)
    document = extract_document(
        page.body,
        page.media_type,
        page.charset,
        needed_characters=offset + MAX_CHARACTERS,
        url=page.url,
        name=urlsplit(page.url).path,
    )
    return PagePart.from_document(document, offset, url=page.url)


lambda_handler = tool(fetch)
