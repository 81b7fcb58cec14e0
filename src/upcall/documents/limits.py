"""Limits of time and memory on reading a document, for steps that count nothing themselves."""

import mmap
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

REPEAT_SECONDS: Final = 1.0
"""Between two interruptions, if the code that was interrupted went on: destructors swallow exceptions."""

MIN_CPU_SHARE: Final = 0.15
"""Of the wall time. A function with 512 MB gets 0.29 of a processor; less is a machine that is overloaded."""


class LimitExceeded(BaseException):
    """Reading takes too much time or memory. No Exception, because libraries catch those and continue."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise LimitExceeded in the code inside after that many seconds of wall time.

    Interrupts Python code only; a long step in C is interrupted at its end. Waits longer for a process that
    other processes keep from working. Does nothing outside of the main thread, which is the only one that
    gets signals. Limits do not nest.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    start = time.process_time()

    def interrupt(_: int, __: FrameType | None) -> None:
        if time.process_time() - start >= seconds * MIN_CPU_SHARE:
            raise LimitExceeded

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def resident_bytes() -> int:
    """The memory that the process uses; 0 on systems without /proc."""
    try:
        pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:
        return 0
    return int(pages) * mmap.PAGESIZE
