"""The API of the emulator for webhook endpoints, with the OpenAI SDK and its strict validation."""

import time
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import httpx
import openai
import pytest
from openai import OpenAI
from openai.types.webhooks import WebhookEndpoint
from openai.types.webhooks.webhook_test_params import WebhookTestParams
from support.webhook_receiver import is_verified, webhook_receiver

from local.openai_emulator import Emulator, webhook_endpoints
from upcall.web.standard_webhooks import check_secret

URL = "https://example.com/webhooks/openai"


@pytest.fixture
def client() -> Iterator[OpenAI]:
    emulator = Emulator()
    with OpenAI(
        base_url=emulator.base_url, api_key="x", max_retries=0, _strict_response_validation=True
    ) as strict:
        yield strict
    emulator.stop()


def create(client: OpenAI, **fields: Any) -> Any:
    return client.webhooks.create(
        **{"url": URL, "name": "ours", "event_types": ["response.failed"], **fields}
    )


def test_the_types_of_events_are_those_of_the_sdk(client: OpenAI) -> None:
    listed = client.webhooks.event_types.list().data
    in_sdk = get_args(get_args(get_type_hints(WebhookTestParams, include_extras=True)["event_type"])[0])

    assert listed == list(in_sdk)


def test_a_created_endpoint_has_a_secret_that_can_sign_and_is_shown_once(client: OpenAI) -> None:
    created = create(client)
    retrieved = client.webhooks.retrieve(created.id)

    check_secret(created.signing_secret)
    assert retrieved.signing_secret_hint == f"whsec_...{created.signing_secret[-4:]}"
    assert "signing_secret" not in retrieved.to_dict()
    assert (retrieved.url, retrieved.name, retrieved.event_types) == (URL, "ours", ["response.failed"])
    assert retrieved.created_at == pytest.approx(time.time(), abs=5)


def test_endpoints_are_listed_newest_first_in_pages(client: OpenAI) -> None:
    created = [create(client, name=str(number)) for number in range(3)]

    first = client.webhooks.list(limit=2)
    assert [each.name for each in first.data] == ["2", "1"]
    assert [each.name for each in client.webhooks.list(limit=2)] == ["2", "1", "0"]
    assert [each.id for each in client.webhooks.list(after=created[1].id)] == [created[0].id]


def test_an_update_changes_what_it_names_and_keeps_the_secret(client: OpenAI) -> None:
    created = create(client)
    updated = client.webhooks.update(created.id, event_types=["response.completed"])

    assert isinstance(updated, WebhookEndpoint)
    assert (updated.url, updated.event_types) == (URL, ["response.completed"])
    assert updated.signing_secret_hint == created.signing_secret_hint


def test_a_deleted_endpoint_is_gone(client: OpenAI) -> None:
    created = create(client)
    assert client.webhooks.delete(created.id).deleted

    with pytest.raises(openai.NotFoundError):
        client.webhooks.retrieve(created.id)
    assert client.webhooks.list().data == []


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"url": "http://example.com/"}, "url"),
        ({"url": ""}, "url"),
        ({"name": ""}, "name"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["response.done"]}, "event_types"),
    ],
)
def test_a_field_that_is_wrong_is_named(client: OpenAI, fields: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        create(client, **fields)

    assert caught.value.param == param


def test_without_an_api_key_there_is_no_access(client: OpenAI) -> None:
    assert httpx.get(f"{client.base_url}webhook_endpoints").status_code == 401


def test_a_test_event_is_sent_at_once_and_its_status_returned(client: OpenAI) -> None:
    with webhook_receiver() as receiver:
        created = create(client, url=receiver.url)
        receiver.secret = created.signing_secret
        receiver.statuses = [503]
        result = client.webhooks.test(created.id, event_type="agent.session.idle")

        assert (result.status_code, result.event_type) == (503, "agent.session.idle")
        assert receiver.types == ["agent.session.idle"]


def test_a_test_of_an_endpoint_that_does_not_respond_is_an_error(client: OpenAI) -> None:
    created = create(client, url="http://127.0.0.1:1/")

    with pytest.raises(openai.BadRequestError, match="did not respond"):
        client.webhooks.test(created.id, event_type="response.completed")


@pytest.mark.parametrize("keep_old", [True, False])
def test_after_a_rotation_the_old_secret_signs_as_well_if_it_is_kept(client: OpenAI, keep_old: bool) -> None:
    with webhook_receiver() as receiver:
        created = create(client, url=receiver.url)
        rotated = client.webhooks.rotate_secret(created.id, keep_old_secret_active_for_24_hours=keep_old)
        client.webhooks.test(created.id, event_type="response.completed")
        (received,) = receiver.wait_for_count(1)

    assert rotated.signing_secret != created.signing_secret
    assert is_verified(received.body, received.headers, rotated.signing_secret)
    assert is_verified(received.body, received.headers, created.signing_secret) is keep_old


def test_the_old_secret_signs_for_24_hours(client: OpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_endpoints, "GRACE_SECONDS", -1)
    with webhook_receiver() as receiver:
        created = create(client, url=receiver.url)
        client.webhooks.rotate_secret(created.id, keep_old_secret_active_for_24_hours=True)
        client.webhooks.test(created.id, event_type="response.completed")
        (received,) = receiver.wait_for_count(1)

    assert not is_verified(received.body, received.headers, created.signing_secret)
