"""The results of a batch, read from the bucket part by part."""

import time
from collections.abc import Callable, Iterator

import httpx

from upcall.client.errors import ClientError, ConnectionLost
from upcall.client.http_api import open_http_client
from upcall.domain.batch_view import BatchResults, ResultFile


def read_result_lines(
    get_results: Callable[[], BatchResults],
    *,
    failures_only: bool,
    retry_delays: tuple[float, ...],
    timeout: float,
) -> Iterator[bytes]:
    """The lines of all parts in order, or those of their failures.

    A part whose download fails is requested again after each of `retry_delays`, with a new URL: URLs expire
    while the parts before are read. Lines that were read already are left out then. Raises ConnectionLost.
    """
    results = get_results()
    with open_http_client(results.manifest_url, timeout=timeout) as http:
        for index in range(len(results.files)):
            lines_read = 0
            for delay in (*retry_delays, None):
                try:
                    for number, line in enumerate(_read_file(http, results.files[index], failures_only)):
                        if number == lines_read:
                            lines_read += 1
                            yield line
                    break
                except (httpx.HTTPError, _Incomplete) as error:
                    failure = _connection_lost(error)
                if delay is None:
                    raise failure
                time.sleep(delay)
                results = get_results()


class _Incomplete(Exception):
    """The object has fewer lines than the manifest says."""


def _read_file(http: httpx.Client, file: ResultFile, failures_only: bool) -> Iterator[bytes]:
    """The lines of one object. Raises httpx.HTTPError, _Incomplete."""
    url, lines = (file.failures_url, file.failures) if failures_only else (file.url, file.lines)
    if url is None:
        return
    count = 0
    rest = b""
    with http.stream("GET", url) as response:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            *complete, rest = (rest + chunk).split(b"\n")  # text may hold what else ends a line in Python
            for line in complete:
                count += 1
                yield line
    if count != lines or rest:
        raise _Incomplete(f"{count} of {lines} lines were received")


def _connection_lost(error: Exception) -> ClientError:
    """The error without the URL, whose signature is a secret."""
    if isinstance(error, httpx.HTTPStatusError):
        reason = f"{error.response.status_code} {error.response.reason_phrase}"
    else:
        reason = str(error) or type(error).__name__
    return ConnectionLost(f"the results cannot be read from the bucket: {reason}")
