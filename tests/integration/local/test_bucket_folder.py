"""Objects of a bucket are kept in a folder, also while others are written."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws
from moto.s3.models import FakeKey

from local.bucket_folder import BucketFolder

BUCKET = f"test-{uuid.uuid4()}"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """The data of moto stays when the test has ended: a local stack may share it."""
    mock = mock_aws()
    mock.start(reset=False)
    config = Config(ignore_configured_endpoint_urls=True)  # type: ignore[call-arg]  # the stubs lack it
    client = boto3.Session(region_name="us-east-1").client("s3", config=config)
    client.create_bucket(Bucket=BUCKET)
    yield client
    mock.stop(remove_data=False)


def test_an_object_is_there_again_after_a_restart(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key="batch_1/request.jsonl", Body=b'"one"')
    BucketFolder(tmp_path, BUCKET).save()
    s3.delete_object(Bucket=BUCKET, Key="batch_1/request.jsonl")

    BucketFolder(tmp_path, BUCKET).load()

    assert s3.get_object(Bucket=BUCKET, Key="batch_1/request.jsonl")["Body"].read() == b'"one"'


def test_an_object_that_is_replaced_while_it_is_saved_is_saved_as_it_is_now(
    s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(Bucket=BUCKET, Key="results", Body=b"old")
    read = FakeKey.value
    replacements = [b"new"]

    def replace_then_read(key: FakeKey) -> bytes:
        if replacements:
            s3.put_object(Bucket=BUCKET, Key="results", Body=replacements.pop())
        return read.fget(key)  # type: ignore[attr-defined,no-any-return]

    folder = BucketFolder(tmp_path, BUCKET)
    with monkeypatch.context() as patch:
        patch.setattr(FakeKey, "value", property(replace_then_read, read.fset))  # type: ignore[attr-defined]
        folder.save()

    assert (tmp_path / "results").read_bytes() == b"new"


def test_a_key_that_leads_out_of_the_folder_is_left_out(s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket=BUCKET, Key="../outside", Body=b"x")

    BucketFolder(tmp_path / "bucket", BUCKET).save()

    assert not (tmp_path / "outside").exists()
