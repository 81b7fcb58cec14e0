"""The webhooks that the emulator sends: their events, signatures, retries and faults."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from openai import OpenAI
from openai.types.webhooks import ResponseCompletedWebhookEvent, UnwrapWebhookEvent
from pydantic import TypeAdapter
from support.waiting import wait_until
from support.webhook_receiver import WEBHOOKS, WebhookReceiver, webhook_receiver

from local.openai_emulator import Call, CallTools, Emulator, EndIncomplete, Fail, Hang, Say, WebhookFaults
from local.openai_emulator.conversation import Step

EVENT: TypeAdapter[Any] = TypeAdapter(UnwrapWebhookEvent)
CANCEL: Any = {"type": "agent.session.input.cancel"}
FETCH = CallTools((Call.of("fetch", url="a"), Call.of("fetch", url="b")))


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    started = Emulator(model_seconds=0.05)
    started.webhooks.deliveries.retry_seconds = (0.01, 0.02, 0.04)
    yield started
    started.stop()


@pytest.fixture
def receiver(emulator: Emulator) -> Iterator[WebhookReceiver]:
    with webhook_receiver() as started:
        started.secret = emulator.webhooks.register(started.url)
        yield started
        for each in started.received:
            EVENT.validate_python(each.event)


@pytest.fixture
def client(emulator: Emulator) -> Iterator[OpenAI]:
    with OpenAI(base_url=emulator.base_url, api_key="x", max_retries=0) as opened:
        yield opened


def create_response(client: OpenAI, model: str, *, background: bool = True) -> str:
    return client.responses.create(model=model, input="Go.", background=background).id


def create_session(client: OpenAI, model: str) -> str:
    agent: Any = {"model": model, "instructions": "", "tools": []}
    return client.beta.agents.sessions.create(agent=agent, environment={"type": "none"}, input="Go.").id


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (Say("Hello."), "response.completed"),
        (FETCH, "response.completed"),
        (Fail("server_error", "It failed."), "response.failed"),
        (EndIncomplete("max_output_tokens"), "response.incomplete"),
    ],
)
def test_the_end_of_a_background_response_is_an_event(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI, step: Step, expected: str
) -> None:
    response = create_response(client, emulator.script(step))
    (received,) = receiver.wait_for(expected)

    assert received.event | {"id": "", "created_at": 0} == {
        "id": "",
        "object": "event",
        "type": expected,
        "created_at": 0,
        "data": {"id": response},
    }
    assert received.headers["Content-Type"] == "application/json"
    assert client.responses.retrieve(response).status == expected.partition(".")[2]


def test_the_sdk_unwraps_an_event(emulator: Emulator, client: OpenAI) -> None:
    with webhook_receiver() as receiver:
        receiver.secret = emulator.webhooks.register(receiver.url)
        create_response(client, emulator.script(Say("Hello.")))
        (received,) = receiver.wait_for("response.completed")
    event = WEBHOOKS.unwrap(received.body, received.headers, secret=receiver.secret)

    assert isinstance(event, ResponseCompletedWebhookEvent)
    assert event.created_at == pytest.approx(time.time(), abs=5)


def test_an_event_is_sent_when_the_response_ends_and_nobody_polls(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI
) -> None:
    model = emulator.script(Say("Hello.", after_seconds=0.3))
    create_response(client, model)
    (received,) = receiver.wait_for("response.completed")

    (turn,) = emulator.models.started_turns[model]
    assert 0 <= received.received_at - turn.done_at < 1


def test_a_cancelled_response_is_one_event(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI
) -> None:
    response = create_response(client, emulator.script(Say("Hello.", after_seconds=2)))
    client.responses.cancel(response)
    client.responses.cancel(response)
    receiver.wait_for("response.cancelled")
    wait_until(lambda: not emulator.webhooks.pending, "the time at which the turn would have ended")

    assert receiver.types == ["response.cancelled"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_response_in_the_foreground_and_a_run_of_an_assistant_are_no_events(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI
) -> None:
    create_response(client, emulator.script(Say("Hello.")), background=False)
    assistant = client.beta.assistants.create(model=emulator.script(Say("Hello.")))
    thread = client.beta.threads.create()
    client.beta.threads.messages.create(thread.id, role="user", content="Go.")
    client.beta.threads.runs.create(thread.id, assistant_id=assistant.id)
    create_response(client, emulator.script(Hang()))
    create_response(client, emulator.script(Say("Hello.", after_seconds=0.3)))
    receiver.wait_for_count(1)

    assert len(receiver.received) == 1


def test_a_session_that_calls_tools_requires_an_action_and_ends_idle(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI
) -> None:
    session = create_session(client, emulator.script(FETCH, Say("Done.")))
    receiver.wait_for("agent.session.action_required")
    actions: Any = client.beta.agents.sessions.retrieve(session).required_actions
    results: Any = [
        {
            "type": "agent.session.input.tool_result",
            "turn_id": each.turn_id,
            "call_id": each.call_id,
            "success": True,
            "output": "text",
        }
        for each in actions
    ]
    for each in results:
        client.beta.agents.sessions.events.create(session, events=[each])
    received = receiver.wait_for("agent.session.idle")

    assert client.beta.agents.sessions.retrieve(session).status == "idle"
    assert [(each.type, each.event["data"]) for each in received] == [
        ("agent.session.action_required", {"id": session, "required_action": {"type": "function_call"}}),
        ("agent.session.idle", {"id": session, "environment_type": "none", "environment_id": None}),
    ]


@pytest.mark.parametrize(
    ("code", "expected"), [("session_failed", "agent.session.failed"), ("other", "agent.session.idle")]
)
def test_a_session_fails_or_only_its_turn_does(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI, code: str, expected: str
) -> None:
    create_session(client, emulator.script(Fail(code, "It failed.")))
    receiver.wait_for(expected)

    assert receiver.types == [expected]


def test_a_session_is_idle_after_a_cancellation(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI
) -> None:
    session = create_session(client, emulator.script(Say("Hello.", after_seconds=0.2)))
    client.beta.agents.sessions.events.create(session, events=[CANCEL])
    receiver.wait_for("agent.session.idle")
    time.sleep(0.3)

    assert receiver.types == ["agent.session.idle"]


def test_an_endpoint_gets_only_the_types_that_it_named(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI
) -> None:
    with webhook_receiver() as other:
        other.secret = emulator.webhooks.register(other.url, ["response.failed"])
        create_response(client, emulator.script(Say("Hello.")))
        receiver.wait_for("response.completed")
        create_response(client, emulator.script(Fail("server_error", "It failed.")))
        receiver.wait_for("response.failed")
        other.wait_for("response.failed")

        assert other.types == ["response.failed"]
    assert other.received[0].id not in {each.id for each in receiver.received}


def test_a_failed_delivery_is_repeated_with_the_same_id(
    emulator: Emulator, receiver: WebhookReceiver, client: OpenAI
) -> None:
    receiver.statuses = [500, 302]
    create_response(client, emulator.script(Say("Hello.")))
    received = receiver.wait_for_count(3)
    time.sleep(0.1)

    assert len(receiver.received) == 3
    assert len({each.id for each in received}) == 1
    assert [each.status for each in emulator.webhooks.deliveries.attempts] == [500, 302, 204]


def test_a_delivery_without_a_response_is_repeated_and_then_given_up(
    emulator: Emulator, client: OpenAI
) -> None:
    emulator.webhooks.register("http://127.0.0.1:1/")
    create_response(client, emulator.script(Say("Hello.")))
    attempts = emulator.webhooks.deliveries.attempts
    wait_until(lambda: len(attempts) >= 4, "four attempts")
    time.sleep(0.1)

    assert [each.status for each in attempts] == [0, 0, 0, 0]


def test_nothing_is_sent_after_the_emulator_has_stopped() -> None:
    with webhook_receiver() as receiver:
        emulator = Emulator(model_seconds=2)
        receiver.secret = emulator.webhooks.register(receiver.url)
        with OpenAI(base_url=emulator.base_url, api_key="x") as client:
            create_response(client, emulator.script(Say("Hello.")))
        emulator.stop()
        time.sleep(2.1)

        assert receiver.received == []


def send_events(faults: WebhookFaults, count: int) -> tuple[WebhookReceiver, Emulator]:
    """What an endpoint receives of `count` events that are published one after the other."""
    emulator = Emulator(webhook_faults=faults)
    with webhook_receiver() as receiver:
        receiver.secret = emulator.webhooks.register(receiver.url)
        for number in range(count):
            emulator.webhooks.publish("response.completed", id=str(number))
            time.sleep(0.005)
        wait_until(lambda: not emulator.webhooks.pending, "the end of all deliveries")
        emulator.stop()
    return receiver, emulator


def ids(receiver: WebhookReceiver) -> list[str]:
    return [each.event["data"]["id"] for each in receiver.received if each.verified]


def test_a_duplicated_delivery_comes_twice_with_the_same_id() -> None:
    receiver, _ = send_events(WebhookFaults(duplicated=1), 3)

    assert Counter(ids(receiver)) == {"0": 2, "1": 2, "2": 2}
    assert len({each.id for each in receiver.received}) == 3


def test_a_reordered_delivery_comes_after_a_later_one() -> None:
    receiver, emulator = send_events(WebhookFaults(reordered=0.5, seed=1), 20)
    received = ids(receiver)

    assert sorted(received, key=int) == [str(number) for number in range(20)]
    assert received != sorted(received, key=int)
    assert emulator.webhooks.deliveries.injected["reordered"] > 0


def test_a_lost_delivery_never_comes() -> None:
    receiver, emulator = send_events(WebhookFaults(lost=0.5, seed=1), 20)

    lost = emulator.webhooks.deliveries.injected["lost"]
    assert 0 < lost < 20
    assert len(ids(receiver)) == 20 - lost


def test_a_forged_copy_comes_besides_the_delivery_and_is_not_repeated() -> None:
    receiver, _ = send_events(WebhookFaults(forged=1), 3)

    assert sorted(ids(receiver)) == ["0", "1", "2"]
    assert [each.verified for each in receiver.received].count(False) == 3
    assert len({each.id for each in receiver.received}) == 3


def test_a_delayed_delivery_comes_within_the_range() -> None:
    started = time.time()
    receiver, _ = send_events(WebhookFaults(delay_seconds=(0.2, 0.3)), 1)

    assert 0.2 <= receiver.received[0].received_at - started < 1


def test_a_seed_selects_the_same_faults_again() -> None:
    faults = WebhookFaults(duplicated=0.3, lost=0.3, forged=0.3, seed=7)
    first, second = (send_events(faults, 20) for _ in range(2))

    assert sorted(ids(first[0])) == sorted(ids(second[0]))
    assert first[1].webhooks.deliveries.injected == second[1].webhooks.deliveries.injected
