"""The peak memory of this process."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_megabytes() -> int:
    """The largest resident size so far, in MB.

    On Linux, `ru_maxrss` includes the size of the process before it became this program (fork and exec), so
    that a small program started by a large one looks large. The kernel's status file does not include it.
    """
    if STATUS.exists():
        (line,) = [line for line in STATUS.read_text("utf-8").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
