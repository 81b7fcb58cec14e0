"""Where the runs of a command are: on the local stack, or on a deployed one, behind one interface."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cli.backends.base import Backend


@contextmanager
def open_backend(stack: str | None, token: str | None) -> Iterator["Backend"]:
    """The deployed stack of that name or URL; without one, the local stack. Raises CommandError."""
    if stack:
        from cli.backends.deployed import connect_to_stack

        with connect_to_stack(stack, token) as backend:
            yield backend
    else:
        from cli.backends.local import LocalBackend

        yield LocalBackend()
