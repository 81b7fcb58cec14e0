"""The text of objects in the stack's bucket, as a page's text would be read."""

import gzip
import json
import uuid
from typing import Any

import boto3
import pytest
from support.sample_events import Invoke, sample

from local import sample_pages
from local.stack import LocalStack
from tools.read_object import MAX_BYTES


@pytest.fixture(scope="module")
def bucket(laptop: LocalStack) -> str:
    return laptop.stack.functions["ReadObjectFunction"].environment["BUCKET_NAME"]


def read(invoke: Invoke, key: str, **more: Any) -> dict[str, Any]:
    event = sample("read_object", arguments=json.dumps({"key": key, **more}))
    output: dict[str, Any] = invoke("ReadObjectFunction", event)
    return {"outcome": output["outcome"], **json.loads(output["output"])}


def put(bucket: str, body: bytes, **said: Any) -> str:
    key = f"inbox/{uuid.uuid4()}"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=body, **said)
    return key


def test_a_page_becomes_title_and_main_text(invoke: Invoke, bucket: str) -> None:
    key = put(
        bucket, (sample_pages.FOLDER / "tides.html").read_bytes(), ContentType="text/html; charset=utf-8"
    )
    found = read(invoke, key)

    assert (found["outcome"], found["key"]) == ("ok", key)
    assert found["title"] == "Why the tide comes twice a day"
    assert "stretches the oceans" in found["text"]


def test_text_without_a_type_is_read_and_can_be_read_on(invoke: Invoke, bucket: str) -> None:
    key = put(bucket, "Grüße aus dem Eimer".encode())

    assert read(invoke, key)["text"] == "Grüße aus dem Eimer"
    assert read(invoke, key, offset=6)["text"] == "aus dem Eimer"


def test_what_is_stored_compressed_is_read(invoke: Invoke, bucket: str) -> None:
    key = put(bucket, gzip.compress(b'{"a": 1}'), ContentType="application/json", ContentEncoding="gzip")

    assert read(invoke, key)["text"] == '{"a": 1}'


def test_an_object_that_is_not_there_is_said(invoke: Invoke) -> None:
    assert read(invoke, "inbox/nothing") == {
        "outcome": "error",
        "error": "there is no object 'inbox/nothing'",
    }


def test_an_object_that_is_too_large_is_given_up(invoke: Invoke, bucket: str) -> None:
    key = put(bucket, b"x" * (MAX_BYTES + 1), ContentType="text/plain")

    assert "larger than 10,000,000 bytes" in read(invoke, key)["error"]


def test_pictures_are_refused_by_name(invoke: Invoke, bucket: str) -> None:
    key = put(bucket, b"\x89PNG\r\n", ContentType="image/png")

    assert "this is image/png, which cannot be read" in read(invoke, key)["error"]
