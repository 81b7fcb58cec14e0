"""What anybody may post to `upcall listen`: it answers, and prints a line."""

import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from support.arbitrary_values import (
    DEPTH,
    broken,
    fuzzed,
    like,
    texts,
    values,
    written,
)
from werkzeug.test import Client

from cli.commands.listen import receiver

RIGHT: dict[str, Any] = {
    "type": "run.completed",
    "data": {"run_id": "run_1", "message_excerpt": "Done.", "failure": {"message": "No."}},
}


@pytest.fixture(scope="module")
def utf8() -> io.TextIOWrapper:
    """A terminal that takes no halves of surrogate pairs."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


@fuzzed
@given(st.booleans(), (like(RIGHT) | values).map(written) | broken | texts)
@example(False, "[" * DEPTH)
@example(False, '["a"]')
@example(False, '{"data": "a"}')
@example(False, '{"type": "\\ud800", "data": {"message_excerpt": 7}}')
@example(True, '{"type": "\\ud800"}')
def test_whatever_is_posted_is_answered_and_printed(utf8: io.TextIOWrapper, as_json: bool, body: str) -> None:
    out = Console(file=utf8)

    answer = Client(receiver(out, as_json=as_json)).post("/", data=body.encode("utf-8", "surrogatepass"))

    assert answer.status_code == 401


@fuzzed
@given(
    st.binary(max_size=40),
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text(st.characters(codec="latin-1", min_codepoint=32, max_codepoint=255), max_size=20),
    ),
)
def test_whatever_the_headers_are_it_is_not_signed(
    utf8: io.TextIOWrapper, body: bytes, headers: dict[str, str]
) -> None:
    answer = Client(receiver(Console(file=utf8), as_json=False)).post("/", data=body, headers=headers)

    assert answer.status_code == 401
    assert not json.loads(answer.data or b"null")
