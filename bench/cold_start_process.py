"""A function's process on Lambda: imports the handler, then handles one event. Reports what both take.

The functions' Python runs it with `-I -S -B`, so that it has the standard library and the path that it is
given, and writes no bytecode: on Lambda `/var/task` and `/opt` are read-only. The first line of its input is
a JSON object; the second one starts the request. Its output is a line of JSON after the import, after the
request, and at the end, which gives the processor time of the processes that it started, and the memory.
"""

import atexit
import importlib
import json
import os
import resource
import sys
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

START = time.perf_counter()
TIMEOUT_SECONDS = 90
RESULTS = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the logs of the function


class Context:
    """What handlers and Powertools read of Lambda's context."""

    function_name = "cold-start"
    memory_limit_in_mb = 256
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:cold-start"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        """The time until the function's timeout."""
        return TIMEOUT_SECONDS * 1000 - round((time.perf_counter() - START) * 1000)


def report(**values: object) -> None:
    """Write a line."""
    RESULTS.write(json.dumps(values) + "\n")
    RESULTS.flush()


def report_end() -> None:
    """Write the processor time of processes that were started and have ended, and the most memory in use.

    `ru_maxrss` would be that of the process which started this one, if that had more.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    with Path("/proc/self/status").open(encoding="ascii") as status:
        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))
    report(cpu=children.ru_utime + children.ru_stime, used_mb=kilobytes / 1024)


def main() -> None:
    """Run one cold start."""
    atexit.register(report_end)  # the first one is called last, when a function's worker has been ended
    order = json.loads(sys.stdin.readline())
    sys.path[:0] = order["path"]
    start = time.perf_counter()
    module, _, name = order["handler"].rpartition(".")
    handler = getattr(importlib.import_module(module), name)
    init_cpu = time.process_time()  # with the start of Python
    report(cpu=init_cpu, wall=time.perf_counter() - start)

    sys.stdin.readline()
    start = time.perf_counter()
    exempt: AbstractContextManager[None] = nullcontext()
    if order["exempt_hosts"]:
        from upcall.web.ssrf import exempt_hosts

        exempt = exempt_hosts(tuple(order["exempt_hosts"]))
    with exempt:
        result = handler(order["event"], Context())
    wall = time.perf_counter() - start
    report(cpu=time.process_time() - init_cpu, wall=wall, result=result)


if __name__ == "__main__":
    main()
