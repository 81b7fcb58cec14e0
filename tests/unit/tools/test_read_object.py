"""The tool `read_object`, with a bucket in memory."""

import gzip
import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.response import StreamingBody
from support.sample_events import sample_event

from tools.read_object import MAX_BYTES, lambda_handler
from upcall.aws import s3


class FakeS3Client:
    """S3 with a bucket named "bucket"."""

    class exceptions:  # noqa: N801  # as in boto3
        ClientError = ClientError

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, dict[str, str]]] = {}

    def put(self, key: str, body: bytes, **headers: str) -> None:
        """Store an object with response headers under boto3's names."""
        self._objects[key] = body, headers

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        """As in boto3."""
        if Bucket != "bucket" or Key not in self._objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        body, headers = self._objects[Key]
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), **headers}


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> FakeS3Client:
    client = FakeS3Client()
    monkeypatch.setattr(s3, "get_client", lambda: client)
    monkeypatch.setenv("BUCKET_NAME", "bucket")
    return client


def read(key: str, **arguments: Any) -> dict[str, Any]:
    """The outcome and the result of a call."""
    event = sample_event("read_object", arguments=json.dumps({"key": key, **arguments}))
    output = lambda_handler(event)
    return {"outcome": output["outcome"], **json.loads(output["output"])}


def test_text_without_a_media_type_is_read_from_any_offset(bucket: FakeS3Client) -> None:
    bucket.put("inbox/note", "Grüße aus dem Eimer".encode())

    assert read("inbox/note")["text"] == "Grüße aus dem Eimer"
    assert read("inbox/note", offset=6)["text"] == "aus dem Eimer"


def test_a_compressed_object_is_decoded(bucket: FakeS3Client) -> None:
    body = gzip.compress(b'{"a": 1}')
    bucket.put("inbox/data", body, ContentType="application/json", ContentEncoding="gzip")

    assert read("inbox/data")["text"] == '{"a": 1}'


@pytest.mark.parametrize(
    "encoding", ["utf-8", "binary", "aws-chunked", "amz-1.0", "none", "identity", "", " "]
)
def test_what_is_no_content_encoding_is_ignored(bucket: FakeS3Client, encoding: str) -> None:
    bucket.put("inbox/note", b"words", ContentType="text/plain", ContentEncoding=encoding)

    assert read("inbox/note")["text"] == "words"


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("inbox/data.csv", "application/vnd.ms-excel"),
        ("inbox/code.ts", "video/mp2t"),
        ("inbox/data.jsonl", "application/jsonl"),
        ("inbox/data", "*/*"),
        ("inbox/data", "binary/octet-stream"),
        ("inbox/data", "no type at all"),
    ],
)
def test_a_wrong_media_type_does_not_make_an_object_unreadable(
    bucket: FakeS3Client, key: str, content_type: str
) -> None:
    bucket.put(key, b"a,b\n1,2\n", ContentType=content_type)

    assert read(key)["text"] == "a,b\n1,2\n"


def test_the_key_says_what_the_bytes_do_not(bucket: FakeS3Client) -> None:
    message = b"X-Note: 1\nSubject: Tides\n\nWords."
    bucket.put("inbox/a.eml", message)
    bucket.put("inbox/a.txt", message)

    assert read("inbox/a.eml")["title"] == "Tides"
    assert read("inbox/a.txt")["title"] is None


def test_a_missing_object_is_an_error(bucket: FakeS3Client) -> None:
    assert read("inbox/nothing") == {
        "outcome": "error",
        "error": "there is no object 'inbox/nothing'",
    }


def test_an_object_that_is_too_large_is_an_error(bucket: FakeS3Client) -> None:
    bucket.put("inbox/large", b"x" * (MAX_BYTES + 1), ContentType="text/plain")

    assert "larger than 10,000,000 bytes" in read("inbox/large")["error"]


def test_an_image_is_an_error_that_names_its_type(bucket: FakeS3Client) -> None:
    bucket.put("inbox/image", b"\x89PNG\r\n", ContentType="image/png")

    assert "this is image/png, which cannot be read" in read("inbox/image")["error"]
