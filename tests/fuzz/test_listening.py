"""Invalid requests to `upcall listen`: it responds to each, and prints a line."""

import io
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from support.arbitrary_values import (
    DEPTH,
    edge_case_texts,
    fuzz_settings,
    similar_objects,
    texts,
    to_json,
    values,
)
from werkzeug.test import Client

from cli.commands.listen import callback_receiver

VALID: dict[str, Any] = {
    "type": "run.completed",
    "data": {"run_id": "run_1", "message_excerpt": "Done.", "failure": {"message": "No."}},
}


@pytest.fixture(scope="module")
def terminal() -> io.TextIOWrapper:
    """A terminal that cannot print lone surrogates."""
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")


@fuzz_settings
@given(st.booleans(), (similar_objects(VALID) | values).map(to_json) | edge_case_texts | texts)
@example(False, "[" * DEPTH)
@example(False, '["a"]')
@example(False, '{"data": "a"}')
@example(False, '{"type": "\\ud800", "data": {"message_excerpt": 7}}')
@example(True, '{"type": "\\ud800"}')
def test_any_body_is_printed_and_rejected(terminal: io.TextIOWrapper, as_json: bool, body: str) -> None:
    client = Client(callback_receiver(Console(file=terminal), as_json=as_json))

    response = client.post("/", data=body.encode("utf-8", "surrogatepass"))

    assert response.status_code == 401


@fuzz_settings
@given(
    st.binary(max_size=40),
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text(st.characters(codec="latin-1", min_codepoint=32, max_codepoint=255), max_size=20),
    ),
)
def test_any_other_signature_is_rejected(
    terminal: io.TextIOWrapper, body: bytes, headers: dict[str, str]
) -> None:
    client = Client(callback_receiver(Console(file=terminal), as_json=False))

    response = client.post("/", data=body, headers=headers)

    assert response.status_code == 401
    assert not json.loads(response.data or b"null")
