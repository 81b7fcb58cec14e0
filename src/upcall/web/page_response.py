"""What a response is to a reader: a page, or an error in words for the model."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NoReturn

import httpcore
import httpx

from upcall.documents.challenge import challenge_message, detect_challenge
from upcall.documents.content_encoding import check_encoding_count, decode
from upcall.documents.media_type import parse_charset
from upcall.domain.errors import ToolError
from upcall.web.http_status import READABLE, challenger, status_error
from upcall.web.transport import TransferBudget

MAX_BYTES: Final = 10_000_000
"""Of everything that is received, and of the body after each step of decompression."""

MAX_ERROR_BYTES: Final = 65_536
"""Of the page of an error: how much of it is looked at."""

MAX_MEDIA_TYPE_CHARACTERS: Final = 200

_CHALLENGE_STATUSES: Final = frozenset({202, 403, 405, 429, 503})


@dataclass(frozen=True)
class Download:
    """The final response: its URL after all redirects, media type, charset and decoded body."""

    url: str
    media_type: str
    charset: str | None
    body: bytes


def read_page(url: httpx.URL, response: httpx.Response, budget: TransferBudget) -> Download:
    """The page in a response. Raises ToolError for any other response."""
    if vendor := challenger(response):
        raise ToolError(challenge_message(vendor))
    if response.status_code not in READABLE:
        _raise_status(response, budget)
    content_type = response.headers.get("content-type", "")
    body = bytearray()
    for chunk in _decoded_chunks(response, budget):
        body += chunk
    return Download(
        url=str(url),
        media_type=content_type.partition(";")[0].strip().lower()[:MAX_MEDIA_TYPE_CHARACTERS],
        charset=parse_charset(content_type),
        body=bytes(body),
    )


def _raise_status(response: httpx.Response, budget: TransferBudget) -> NoReturn:
    """Raise ToolError for a status. Some checks for browsers can be told from errors only by the page."""
    if response.status_code in _CHALLENGE_STATUSES:
        body = bytearray()
        with suppress(ToolError, httpcore.ProtocolError):
            for chunk in _decoded_chunks(response, budget):
                body += chunk
                if len(body) > MAX_ERROR_BYTES:
                    break
        if vendor := detect_challenge(body.decode("latin-1")):
            raise ToolError(challenge_message(vendor))
    raise ToolError(status_error(response, datetime.now(UTC)))


def _decoded_chunks(response: httpx.Response, budget: TransferBudget) -> Iterator[bytes]:
    """The body without its content encodings.

    The deadline is checked between the encodings, too: a few bytes can decompress to millions of empty
    members, which take long to read and yield nothing.
    """
    encodings = response.headers.get_list("content-encoding", split_commas=True)
    check_encoding_count(encodings)
    chunks = response.iter_raw()
    for encoding in reversed(encodings):
        chunks = decode(_until_deadline(chunks, budget), [encoding], MAX_BYTES)
    return _until_deadline(chunks, budget)


def _until_deadline(chunks: Iterator[bytes], budget: TransferBudget) -> Iterator[bytes]:
    for chunk in chunks:
        budget.seconds_left()
        yield chunk
