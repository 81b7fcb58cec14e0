"""A limit on the processor time of processes, as Lambda sets it by a function's memory: a Linux cgroup."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

MEMORY_OF_ONE_CORE = 1769
"""Megabytes: https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html."""

PERIOD_MICROSECONDS = 20_000

_CGROUPS = Path("/sys/fs/cgroup")


class NoCpuLimit(Exception):
    """The system lets this process make no cgroup with a limit."""


class CpuLimit(Protocol):
    """A limit that processes can be put under."""

    def add(self, pid: int) -> None:
        """Put a process, with its threads and the processes that it starts, under the limit."""


class _Cgroup:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))


def share_of(memory_mb: int) -> float:
    """The share of a core that a function of this memory has."""
    return memory_mb / MEMORY_OF_ONE_CORE


@contextmanager
def cpu_limit(share: float) -> Iterator[CpuLimit]:
    """A limit to a share of one core. Raises NoCpuLimit. Its processes must end before it does."""
    quota = round(share * PERIOD_MICROSECONDS)
    name = f"upcall-bench-{os.getpid()}"
    if (_CGROUPS / "cgroup.controllers").exists():
        folder, settings = _CGROUPS / name, {"cpu.max": f"{quota} {PERIOD_MICROSECONDS}"}
    else:
        folder = _CGROUPS / "cpu" / name
        settings = {"cpu.cfs_period_us": str(PERIOD_MICROSECONDS), "cpu.cfs_quota_us": str(quota)}
    try:
        folder.mkdir()
    except OSError as error:
        raise NoCpuLimit(f"no cgroup can be made: {error.strerror}") from None
    try:
        try:
            for setting, value in settings.items():
                (folder / setting).write_text(value)
        except OSError as error:
            raise NoCpuLimit(f"the cgroup takes no limit: {error.strerror}") from None
        yield _Cgroup(folder)
    finally:
        folder.rmdir()
