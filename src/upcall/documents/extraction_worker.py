"""The program of the process that reads documents: see `extraction.py`, which starts it.

It limits its own memory and processor time. It ends when its client does, at the end of its input.
"""

import logging
import resource
import sys
import traceback
from dataclasses import asdict
from typing import Any, BinaryIO, Final

from upcall.documents.extraction_protocol import ConnectionEnded, receive, send
from upcall.documents.limits import LimitExceeded, resident_bytes
from upcall.domain.errors import ToolError

MAX_MEMORY_BYTES: Final = 270_000_000
"""Of data. Code in shared libraries comes on top, about 20 MB. The client needs about 100 MB of the 400 MB
that both may have."""

MAX_CPU_SECONDS: Final = 20
"""For one document. It ends a worker whose client is gone and cannot stop it any more."""

MAX_IDLE_MEMORY_BYTES: Final = 130_000_000
"""A worker that keeps more after a document is replaced, so that the next document has enough."""


def main() -> None:
    """Serve requests from standard input until it ends."""
    requests, responses = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints is no response
    logging.disable(logging.CRITICAL)
    try:
        _import_libraries()
    except Exception as error:
        send(responses, {"failure": _describe(error)})
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _limit_memory()
    send(responses, {"ready": True})
    while _serve(requests, responses):
        pass


def _import_libraries() -> None:
    """Import now what most documents need, so that it does not count as time of a document."""
    import charset_normalizer  # noqa: F401
    import webencodings  # noqa: F401

    import upcall.documents.html
    import upcall.documents.pdf
    import upcall.documents.reader  # noqa: F401


def _limit_memory() -> None:
    # macOS has no limit that it enforces; on a laptop, the time has to do
    if sys.platform == "linux":
        _limit(resource.RLIMIT_DATA, MAX_MEMORY_BYTES)  # of private memory, touched or not


def _limit_cpu_time() -> None:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    _limit(resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + MAX_CPU_SECONDS)


def _limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _serve(requests: BinaryIO, responses: BinaryIO) -> bool:
    """Answer one request. Returns whether the process can be used again."""
    try:
        header, body = receive(requests)
    except ConnectionEnded:
        return False
    _limit_cpu_time()
    response, reusable = _read(header, body)
    del body
    reusable = reusable and resident_bytes() <= MAX_IDLE_MEMORY_BYTES
    send(responses, {**response, "reusable": reusable})
    return reusable


def _read(request: dict[str, Any], body: bytes) -> tuple[dict[str, Any], bool]:
    """The response, and whether the process is still in order."""
    from upcall.documents.reader import read_document

    needed: int = request["needed_characters"]
    try:
        document = asdict(read_document(body, **request))
    except ToolError as error:
        return {"tool_error": str(error)}, True
    except (MemoryError, LimitExceeded, RecursionError):
        return {"limit_exceeded": True}, False
    except BaseException as error:  # Rust's panics are no Exception
        return {"failure": _describe(error)}, False
    # one character more than needed, which tells that the text goes on
    document["text"] = document["text"][: needed + 1]
    return {"document": document}, True


def _describe(error: BaseException) -> str:
    """The type of an error and where it was raised. Its message may contain what is in the document."""
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} at {', '.join(places[-5:])}"
