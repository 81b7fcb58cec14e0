"""A program that reads documents as the tools do, and measures it: run as a process of its own.

Its memory and that of its worker are what a function would use. It talks to its caller as the worker does.
"""

import os
import resource
import sys
import time
from pathlib import Path

from local.peak_memory import peak_megabytes
from upcall.documents import extraction
from upcall.documents.extraction_protocol import ConnectionEnded, receive, send
from upcall.documents.paging import MAX_CHARACTERS
from upcall.domain.errors import ToolError


def main() -> None:
    """Read a document for each message, and answer with the outcome, the time and the peaks of memory."""
    sys.path.extend(["src"])
    import httpx  # noqa: F401  # as the tool `fetch` does

    import tools.fetch  # noqa: F401

    while True:
        try:
            header, body = receive(sys.stdin.buffer)
        except ConnectionEnded:
            return
        _read(b"words", "text/plain", "")  # so that the start of a worker does not count
        start = time.monotonic(), _cpu_seconds()
        outcome = _read(body, header["media_type"], header["name"])
        # on a machine that is busy, wall time says nothing
        seconds = min(time.monotonic() - start[0], _cpu_seconds() - start[1])
        memory = {"client_megabytes": peak_megabytes(), "worker_megabytes": _worker_megabytes()}
        send(sys.stdout.buffer, {"outcome": outcome, "seconds": seconds, **memory})


def _read(body: bytes, media_type: str, name: str) -> str:
    try:
        document = extraction.extract_document(
            body, media_type, None, needed_characters=MAX_CHARACTERS, url="https://example.com/", name=name
        )
    except ToolError as error:
        return f"ToolError: {error}"
    except Exception as error:
        return f"defect: {error!r}"
    return f"{len(document.text)} characters"


def _cpu_seconds() -> float:
    """The processor time of this process and of all workers so far."""
    times = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds = sum(each.ru_utime + each.ru_stime for each in times)
    if process := extraction._worker._process:
        fields = Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def _worker_megabytes() -> int:
    """The peak of the workers so far, of those that have ended and of the one that runs."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    process = extraction._worker._process
    if process is None:
        return ended
    lines = Path(f"/proc/{process.pid}/status").read_text("ascii").splitlines()
    (peak,) = [line.split()[1] for line in lines if line.startswith("VmHWM")]
    return max(ended, int(peak) // 1024)


if __name__ == "__main__":
    main()
