"""Clients of the HTTP API, for commands that need nothing else of a stack."""

from collections.abc import Iterator
from contextlib import contextmanager

from cli.backends.local_stack import NOT_RUNNING, find_any_endpoints
from cli.errors import CommandError
from upcall.client import UpcallClient


@contextmanager
def open_client(stack: str | None, token: str | None) -> Iterator[UpcallClient]:
    """The API of a deployed stack, or that of a local stack that is running. Raises CommandError."""
    if stack:
        with open_stack_client(stack, token) as client:
            yield client
    elif (endpoints := find_any_endpoints()) is not None:
        with UpcallClient(endpoints.api) as client:
            yield client
    else:
        raise CommandError(NOT_RUNNING)


@contextmanager
def open_stack_client(stack: str, token: str | None) -> Iterator[UpcallClient]:
    """The API of the stack of that name or URL, with a token or the user's AWS credentials.

    With a URL, the permission execute-api:Invoke is enough. Raises CommandError.
    """
    from cli.backends.stack_lookup import find_api_url, find_auth

    url = find_api_url(stack)
    auth = find_auth(url, token)
    with UpcallClient(url, auth, auth.hint) as client:
        yield client
