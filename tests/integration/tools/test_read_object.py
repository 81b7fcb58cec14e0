"""The function of the tool `read_object` on the local stack, with the stack's bucket."""

import json
import uuid
from typing import Any

import boto3
import pytest
from support.sample_events import Invoke, sample_event

from local import sample_pages
from local.stack import LocalStack


@pytest.fixture
def page_key(local_stack: LocalStack) -> str:
    """The key of a page in the bucket."""
    key = f"inbox/{uuid.uuid4()}"
    boto3.client("s3").put_object(
        Bucket=local_stack.deployed.functions["ReadObjectFunction"].environment["BUCKET_NAME"],
        Key=key,
        Body=(sample_pages.FOLDER / "tides.html").read_bytes(),
        ContentType="text/html; charset=utf-8",
    )
    return key


def read(invoke: Invoke, key: str) -> dict[str, Any]:
    """The outcome and the result of a call."""
    event = sample_event("read_object", arguments=json.dumps({"key": key}))
    output: dict[str, Any] = invoke("ReadObjectFunction", event)
    return {"outcome": output["outcome"], **json.loads(output["output"])}


def test_a_page_has_a_title_and_a_main_text(invoke: Invoke, page_key: str) -> None:
    page = read(invoke, page_key)

    assert (page["outcome"], page["key"]) == ("ok", page_key)
    assert page["title"] == "Why the tide comes twice a day"
    assert "stretches the oceans" in page["text"]


def test_a_missing_object_is_an_error(invoke: Invoke, local_stack: LocalStack) -> None:
    assert read(invoke, "inbox/nothing") == {
        "outcome": "error",
        "error": "there is no object 'inbox/nothing'",
    }
