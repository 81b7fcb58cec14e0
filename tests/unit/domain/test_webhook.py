"""What is read of a webhook: its type, and the id of the run upstream."""

import json
from typing import Any

import pytest

from upcall.domain.errors import InvalidInput
from upcall.domain.webhook import RUN_EVENTS, WebhookEvent, parse_webhook


def body(**event: Any) -> bytes:
    return json.dumps({"object": "event", "id": "evt_1", "created_at": 1_795_176_000, **event}).encode()


@pytest.mark.parametrize("kind", RUN_EVENTS)
def test_an_event_of_a_run_has_its_type_and_the_id_upstream(kind: str) -> None:
    event = parse_webhook(body(type=kind, data={"id": "up_1", "status": "anything"}))

    assert event == WebhookEvent(type=kind, upstream_id="up_1")


@pytest.mark.parametrize("kind", ["response.created", "batch.completed", "", "RESPONSE.COMPLETED"])
def test_an_event_of_another_type_is_none(kind: str) -> None:
    assert parse_webhook(body(type=kind, data={"id": "x"})) is None


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"data": {"id": "x"}}, "type"),
        ({"type": RUN_EVENTS[0]}, "data"),
        ({"type": RUN_EVENTS[0], "data": None}, "data"),
        ({"type": RUN_EVENTS[0], "data": {}}, "data.id"),
        ({"type": RUN_EVENTS[0], "data": {"id": 7}}, "data.id"),
        ({"type": RUN_EVENTS[0], "data": {"id": "x" * 256}}, "data.id"),
    ],
)
def test_an_event_without_a_field_is_rejected_by_the_fields_name(event: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_webhook(body(**event))
    assert [error.field for error in caught.value.errors] == [field]
