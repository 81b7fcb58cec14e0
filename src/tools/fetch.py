"""The first tool: a web page's main text."""

from typing import Annotated

from pydantic import Field

from upcall.tool import tool
from upcall.web.download import download
from upcall.web.page import Page, page


def fetch(
    url: Annotated[str, Field(description="The page's address: http or https, public, no login.")],
    offset: Annotated[int, Field(ge=0, description="Where in the text to begin.")] = 0,
) -> Page:
    """Fetch a web page and return its title and main text.

    A long text comes in pieces: if next_offset is a number, call again with it as the offset.
    """
    return page(download(url), offset)


lambda_handler = tool(fetch)
