"""Where the runs are that a command is about: on the laptop, or on a deployed stack."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.backends.base import Source


@contextmanager
def source(stack: str | None, token: str | None) -> Iterator[Source]:
    """The runs of a stack, by its name or its URL; without one, of the laptop. Raises Problem."""
    if stack:
        from cli.backends.deployed import deployed

        with deployed(stack, token) as found:
            yield found
    else:
        from cli.backends.local import Laptop

        yield Laptop()
