"""Reads documents in a worker process with limits on time and memory, which a document may be made to exceed.

One process serves all documents of this process, one after the other. It alone imports the libraries that
read documents. A document that exceeds a limit ends it, and the next document starts a new one.

Pipes and `subprocess` need neither shared memory nor a writable file system, which Lambda does not have.
"""

import atexit
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from upcall import config
from upcall.documents.document import Document, Link
from upcall.documents.extraction_protocol import ConnectionEnded, receive, send
from upcall.domain.errors import InternalError, ToolError

MAX_SECONDS: Final = 14.0
"""For a document: from when the worker can read it until its text is here."""

MAX_START_SECONDS: Final = 60.0
"""For the start of the worker. It takes about half a second of processor time, most of it for imports."""

_PROGRAM: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from upcall.documents.extraction_worker import main
main()
"""
"""Gets the path of modules as an argument, because Lambda's runtime changes it after the start of Python."""


def extract_document(
    body: bytes,
    media_type: str,
    charset: str | None,
    *,
    needed_characters: int,
    url: str = "",
    name: str = "",
) -> Document:
    """The same as `read_document`, in the worker process.

    Raises ToolError also for a document that takes too much time or memory.
    """
    request = {
        "media_type": media_type,
        "charset": charset,
        "needed_characters": needed_characters,
        "url": url,
        "name": name,
    }
    return _worker.read(request, body)


def start_worker() -> None:
    """Start the worker process if there is none, and do not wait for it. Saves time before a download."""
    _worker.start()


class _Worker:
    """The worker process: started when it is needed, used by one thread at a time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._ready = False

    def start(self) -> None:
        """Start the process if there is none. Returns at once if a thread uses it."""
        if self._lock.acquire(blocking=False):
            try:
                self._start()
            finally:
                self._lock.release()

    def stop(self) -> None:
        """End the process, whether a thread uses it or not."""
        self._stop()

    def read(self, request: dict[str, Any], body: bytes) -> Document:
        """The document. Raises ToolError, and InternalError if the worker fails for another reason."""
        with self._lock:
            response = self._exchange(request, body)
        if "tool_error" in response:
            raise ToolError(response["tool_error"])
        if "limit_exceeded" in response:
            raise _too_complex("memory than there is")
        if "failure" in response:
            raise InternalError(f"a document was not read: {response['failure']}")
        document = response["document"]
        links = tuple(Link(**link) for link in document.pop("links"))
        return Document(**document, links=links)

    def _exchange(self, request: dict[str, Any], body: bytes) -> dict[str, Any]:
        process = self._start()
        requests, responses = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
        reusable = False
        try:
            if not self._ready:
                self._wait_until_ready(process, responses)
            with _killed_after(MAX_SECONDS, process) as timed_out:
                try:
                    send(requests, request, body)
                    response, _ = receive(responses)
                except (ConnectionEnded, OSError):
                    if timed_out.is_set():
                        raise _too_complex(f"than {MAX_SECONDS:.0f} seconds") from None
                    raise _too_complex("memory than there is") from None
            reusable = response["reusable"]
            return response
        finally:
            if not reusable:
                self._stop()

    def _wait_until_ready(self, process: subprocess.Popen[bytes], responses: BinaryIO) -> None:
        with _killed_after(MAX_START_SECONDS, process):
            try:
                response, _ = receive(responses)
            except ConnectionEnded:
                response = {"failure": "it ends at once, or takes too long"}
        if "failure" in response:
            raise InternalError(f"the worker that reads documents does not start: {response['failure']}")
        self._ready = True

    def _start(self) -> subprocess.Popen[bytes]:
        if self._process and self._process.poll() is None:
            return self._process
        self._stop()
        self._process = subprocess.Popen(  # noqa: S603
            # isolated: neither the environment nor the folder of the user decides what is imported
            [
                sys.executable,
                "-I",
                "-c",
                _PROGRAM,
                json.dumps([_absolute(path) for path in sys.path]),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # libraries print and log contents
            # without credentials, which no document may get at
            env=config.environment_of_workers(),
        )
        return self._process

    def _stop(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):  # what is still buffered for the worker cannot be written
                    cast("BinaryIO", stream).close()


def _absolute(path: str) -> str:
    return str(Path(path).absolute())


@contextmanager
def _killed_after(seconds: float, process: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Kill the process after that time. The event says whether it was."""
    timed_out = threading.Event()

    def kill() -> None:
        timed_out.set()
        process.kill()

    timer = threading.Timer(seconds, kill)
    timer.daemon = True
    timer.start()
    try:
        yield timed_out
    finally:
        timer.cancel()


def _too_complex(more_than: str) -> ToolError:
    return ToolError(f"the document is too complex to read: reading it takes more {more_than}")


_worker = _Worker()
atexit.register(_worker.stop)
