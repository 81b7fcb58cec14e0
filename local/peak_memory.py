"""How much memory this process has had at most."""

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_megabytes() -> int:
    """The largest resident size so far, in MB.

    Linux counts what a process had before it became another program into `ru_maxrss`, so that a small
    program started by a large one looks large; the kernel's status file does not.
    """
    if STATUS.exists():
        (line,) = [line for line in STATUS.read_text("utf-8").splitlines() if line.startswith("VmHWM")]
        return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1024 * 1024 if sys.platform == "darwin" else 1024)
