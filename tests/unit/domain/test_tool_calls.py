import re

import pytest
from support.run_records import CALL

from upcall.domain.tool_calls import ToolCall, arguments_text


def test_the_same_call_has_the_same_fingerprint() -> None:
    assert ToolCall.model_validate_json(CALL.model_dump_json()).fingerprint == CALL.fingerprint


@pytest.mark.parametrize("changes", [{"call_id": "call_2"}, {"name": "pay"}, {"arguments": "{}"}], ids=str)
def test_another_call_with_the_same_id_or_the_same_arguments_has_another_fingerprint(
    changes: dict[str, str],
) -> None:
    assert CALL.model_copy(update=changes).fingerprint != CALL.fingerprint


def test_parts_of_a_call_are_not_mixed_up_in_its_fingerprint() -> None:
    first = ToolCall(call_id="a", name="b c", arguments="d")
    second = ToolCall(call_id="a b", name="c", arguments="d")

    assert first.fingerprint != second.fingerprint


@pytest.mark.parametrize("call_id", ["", "a b", "ä" * 1000, "\x00"])
def test_fingerprints_can_be_listed_with_blanks_between_them(call_id: str) -> None:
    assert re.fullmatch("[0-9a-f]{16}", CALL.model_copy(update={"call_id": call_id}).fingerprint)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [('{"url": "x", "offset": 3, "more": null}', "x 3"), ("{", "{"), ("[1]", "[1]"), ("{}", "")],
)
def test_arguments_are_shown_as_values(arguments: str, shown: str) -> None:
    assert arguments_text(arguments) == shown
