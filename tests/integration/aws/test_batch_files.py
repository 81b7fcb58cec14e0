"""upcall.aws.batch_files on moto."""

import tracemalloc
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from support.batch_files_contract import CONTENT, BatchFilesContract

from upcall.aws import batch_files
from upcall.use_cases.interfaces import BatchFiles

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LINES = 400_000


@pytest.fixture(scope="module")
def s3(aws_client: Any) -> "S3Client":
    client: S3Client = aws_client("s3")
    return client


@pytest.fixture
def files(s3: "S3Client", unique_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchFiles]:
    s3.create_bucket(Bucket=unique_name)
    monkeypatch.setenv("BATCH_BUCKET_NAME", unique_name)
    monkeypatch.setattr(batch_files, "get_client", lambda: s3)
    yield batch_files
    for found in s3.list_objects_v2(Bucket=unique_name).get("Contents", []):
        s3.delete_object(Bucket=unique_name, Key=found["Key"])
    s3.delete_bucket(Bucket=unique_name)


class TestBatchFiles(BatchFilesContract):
    pass


def test_an_object_has_its_content_type(files: BatchFiles, s3: "S3Client", unique_name: str) -> None:
    files.write_file("a", CONTENT, "application/jsonl")

    assert s3.head_object(Bucket=unique_name, Key="a")["ContentType"] == "application/jsonl"


def test_a_large_object_is_written_in_parts_of_more_than_five_megabytes(
    files: BatchFiles, s3: "S3Client", unique_name: str
) -> None:
    sizes: list[int] = []
    s3.meta.events.register(
        "provide-client-params.s3.UploadPart", lambda params, **_: sizes.append(len(params["Body"]))
    )
    with files.create_file("a") as file:
        for _ in range(20):
            file.write(b"x" * 1_000_000)

    assert sum(sizes) == 20_000_000
    assert len(sizes) == 3
    assert min(sizes[:-1]) > 5 * 1024 * 1024


def test_an_object_is_read_in_memory_for_a_part_of_it(
    files: BatchFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a million lines does not fit into the function's memory. moto holds each object as a whole."""
    content = (b"x" * 99 + b"\n") * LINES
    ranges: list[tuple[int, int]] = []

    def read_range(_: str, offset: int, length: int) -> bytes:
        ranges.append((offset, length))
        return content[offset : offset + length]

    monkeypatch.setattr(batch_files, "read_range", read_range)
    tracemalloc.start()
    try:
        with files.open_file("a") as file:
            count = sum(1 for _ in file)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert count == LINES
    assert len(ranges) == LINES * 100 // batch_files.READ_BYTES + 2, "the last one finds the end"
    assert peak < 5_000_000
