"""Batches over the HTTP API: start, show, follow, cancel, and read their results."""

import re
import time
import uuid
from collections.abc import Callable, Iterator
from http import HTTPStatus

from pydantic_core import PydanticSerializationError

from upcall.client.batch_results import read_result_lines
from upcall.client.errors import ApiError
from upcall.client.http_api import HttpApi
from upcall.domain.batch_request import BatchRequest
from upcall.domain.batch_results import LineResult
from upcall.domain.batch_view import BatchList, BatchResults, BatchView
from upcall.domain.errors import FieldError, InvalidInput

PAUSE_SHARE = 0.05
"""The pause between two requests for a batch, as a share of the time that it has been followed for."""

MIN_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.5, 10.0


class BatchClient:
    """The part of UpcallClient that is about batches."""

    _api: HttpApi

    def start_batch(self, request: BatchRequest, key: str | None = None) -> BatchView:
        """Start a batch. The same request with the same `key` is the same batch, however often it is sent.

        Without a key, each call starts a batch. Raises InvalidInput for text that is not Unicode; an ApiError
        has the status 422 for another request with that key.
        """
        try:
            body = request.model_dump_json(exclude_unset=True)
        except PydanticSerializationError:
            raise InvalidInput(FieldError("inputs", "must be Unicode text")) from None
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
        return self._api.parse(BatchView, self._api.send("POST", "/batches", content=body, headers=headers))

    def get_batch(self, batch_id: str) -> BatchView:
        """A batch, and how far it is."""
        return self._api.parse(BatchView, self._api.send("GET", _batch_path(batch_id)))

    def list_batches(self, limit: int, owner: str | None = None) -> Iterator[BatchView]:
        """At most `limit` batches, newest first, read page by page; with `owner`, only that caller's."""
        pages = self._api.pages_up_to(
            BatchList, "/batches", limit, lambda page: len(page.batches), owner=owner
        )
        return (batch for page in pages for batch in page.batches)

    def cancel_batch(self, batch_id: str) -> BatchView:
        """Cancel a batch. Not repeated: a repetition might fail because the batch has ended."""
        path = f"{_batch_path(batch_id)}/cancel"
        return self._api.parse(BatchView, self._api.send("POST", path, retry=False))

    def follow_batch(
        self,
        batch_id: str,
        batch_updated: Callable[[BatchView], object] = lambda _: None,
        max_pause_seconds: float = MAX_PAUSE_SECONDS,
    ) -> BatchView:
        """Wait until a batch has ended, and return it. `batch_updated` gets it each time that it is read.

        The pause between two requests grows from half a second to `max_pause_seconds`.
        """
        start = time.monotonic()
        while True:
            batch = self.get_batch(batch_id)
            batch_updated(batch)
            if batch.ended:
                return batch
            pause = max((time.monotonic() - start) * PAUSE_SHARE, MIN_PAUSE_SECONDS)
            time.sleep(min(pause, max_pause_seconds))

    def batch_results(self, batch_id: str, *, failures_only: bool = False) -> Iterator[LineResult]:
        """What became of each line of a batch that has ended, in the order of its inputs.

        With `failures_only`, of lines without a message. The results are not held in memory: they are read
        from the bucket part by part. An ApiError has the status 404 before the end.
        """
        for line in self.batch_result_lines(batch_id, failures_only=failures_only):
            yield self._api.parse(LineResult, line)

    def batch_result_lines(self, batch_id: str, *, failures_only: bool = False) -> Iterator[bytes]:
        """The same as the JSON in the bucket, a line each, without the line break."""
        path = f"{_batch_path(batch_id)}/results"
        return read_result_lines(
            lambda: self._api.parse(BatchResults, self._api.send("GET", path)),
            failures_only=failures_only,
            retry_delays=self._api.retry_delays,
            timeout=self._api.timeout,
        )


def _batch_path(batch_id: str) -> str:
    """The path of a batch. Text that cannot be an id is rejected here: it could change the path."""
    if not re.fullmatch(r"\w+", batch_id, re.ASCII):
        raise ApiError(HTTPStatus.NOT_FOUND, f"there is no batch {batch_id!r}")
    return f"/batches/{batch_id}"
