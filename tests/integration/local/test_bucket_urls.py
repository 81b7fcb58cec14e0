"""A presigned URL of the local stack's bucket is read over HTTP, as one of S3."""

import httpx
import pytest

from local.stack import LocalStack
from upcall.aws import batch_files

CONTENT = "ä\n".encode()


def test_a_url_can_be_read_by_anybody(local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BATCH_BUCKET_NAME", local_stack.deployed.batch_bucket)
    batch_files.write_file("a ä+b.txt", CONTENT, "text/plain")

    url = batch_files.presign_url("a ä+b.txt", 60)

    assert httpx.get(url).content == CONTENT
    assert httpx.get(url.partition("?")[0]).status_code in (200, 403)
