"""The stack that a batch is submitted to: its API, and its bucket."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console

from cli.backends.clients import open_stack_client
from cli.batches.upload import BatchBucket
from upcall.client import UpcallClient


@dataclass(frozen=True)
class BatchStack:
    """A stack. `find_bucket` raises CommandError. A temporary one ends with the command, with its batches."""

    api: UpcallClient
    find_bucket: Callable[[], BatchBucket]
    temporary: bool = False


@contextmanager
def open_batch_stack(stack: str | None, token: str | None, err: Console) -> Iterator[BatchStack]:
    """The deployed stack of that name or URL; without one, the local stack, which is started if need be."""
    if stack:
        from cli.backends.stack_lookup import find_batch_bucket

        with open_stack_client(stack, token) as api:
            yield BatchStack(api, lambda: find_batch_bucket(stack))
        return
    import boto3

    from cli.backends.local_stack import connect_or_start

    with (
        err.status("Starting the local stack") as status,
        connect_or_start() as local,
        UpcallClient(local.endpoints.api) as api,
    ):
        status.stop()
        bucket = local.endpoints.batch_bucket
        yield BatchStack(api, lambda: BatchBucket(boto3.client("s3"), bucket), local.temporary)
