"""The Agents API of the emulator, with the OpenAI SDK and its strict validation of every response."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import openai
import pytest
from flask import Flask
from openai import OpenAI
from openai.types.beta import AgentSession, AgentSessionItem
from openai.types.beta.agents.sessions import Turn
from support.waiting import wait_until

from local.http_server import HttpServer
from local.openai_emulator import (
    Call,
    CallTools,
    EndIncomplete,
    Fail,
    Fault,
    Hang,
    Say,
    agent_sessions,
)
from local.openai_emulator.agents import Agents
from local.openai_emulator.scripted_model import ScriptedModels
from local.openai_emulator.webhooks import Webhooks

FETCH: Any = {"type": "function", "name": "fetch", "description": "Fetch.", "parameters": {"type": "object"}}
CANCEL: Any = {"type": "agent.session.input.cancel"}
TWO_CALLS = CallTools((Call.of("fetch", url="a"), Call.of("fetch", url="b")))


@dataclass
class Server:
    """Scripted models, and the Agents API over them on loopback."""

    model_seconds: float
    models: ScriptedModels = field(default_factory=ScriptedModels)

    def __post_init__(self) -> None:
        flask = Flask(__name__, static_folder=None)
        agents = Agents(self.models, self.model_seconds, Webhooks())
        flask.register_blueprint(agents.blueprint(), url_prefix="/v1")
        self.http = HttpServer(flask)
        self.script = self.models.script


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server(0.05)
    yield started
    started.http.stop()


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with client_of(server) as strict:
        yield strict


@pytest.fixture
def slow_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps results invisible long enough for a test on any machine."""
    monkeypatch.setattr(agent_sessions, "SETTLING_SECONDS", 0.5)


def client_of(server: Server) -> OpenAI:
    return OpenAI(
        base_url=f"{server.http.url}/v1", api_key="x", max_retries=0, _strict_response_validation=True
    )


def create(client: OpenAI, model: str, **fields: Any) -> AgentSession:
    agent: Any = {"model": model, "instructions": "Be kind.", "tools": [FETCH]}
    request: Any = {"agent": agent, "environment": {"type": "none"}, "input": "Go.", **fields}
    session: AgentSession = client.beta.agents.sessions.create(**request)
    return session


def wait_for_turn(client: OpenAI, session: AgentSession) -> AgentSession:
    """The session as soon as it is not in progress."""

    def not_in_progress() -> AgentSession | None:
        polled = client.beta.agents.sessions.retrieve(session.id)
        return polled if polled.status != "in_progress" else None

    return wait_until(not_in_progress, "the end of the turn") or session


def turns(client: OpenAI, session: AgentSession, **query: Any) -> list[Turn]:
    return client.beta.agents.sessions.turns.list(session.id, **query).data


def items(client: OpenAI, session: AgentSession, **query: Any) -> list[AgentSessionItem]:
    """All items, page by page."""
    return list(client.beta.agents.sessions.items.list(session.id, order="asc", **query))


def send(client: OpenAI, session: AgentSession, *events: Any, key: Any = openai.omit) -> None:
    client.beta.agents.sessions.events.create(session.id, events=events, idempotency_key=key)


def error_of(
    client: OpenAI, session: AgentSession, *events: Any, key: Any = openai.omit
) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        send(client, session, *events, key=key)
    return caught.value


def result(action: Any, **fields: Any) -> Any:
    return {
        "type": "agent.session.input.tool_result",
        "turn_id": action.turn_id,
        "call_id": action.call_id,
        "success": True,
        "output": "o",
        **fields,
    }


def message(text: str) -> Any:
    content = [{"type": "input_text", "text": text}]
    return {"type": "agent.session.input.message", "input": [{"role": "user", "content": content}]}


def wait_for_results(client: OpenAI, session: AgentSession) -> AgentSession:
    """The session as soon as its required actions have changed, and its turn has ended or waits."""

    def with_other_actions() -> AgentSession | None:
        polled = client.beta.agents.sessions.retrieve(session.id)
        return polled if polled.required_actions != session.required_actions else None

    changed = wait_until(with_other_actions, "other required actions") or session
    return wait_for_turn(client, changed)


def test_a_session_is_in_progress_while_its_turn_is_queued_then_in_progress() -> None:
    slow = Server(0.6)
    with client_of(slow) as client:
        session = create(client, slow.script(Hang()), metadata={"run_id": "r"})
        (turn,) = turns(client, session)
        assert (session.status, turn.status, turn.started_at) == ("in_progress", "queued", None)
        assert session.metadata == {"run_id": "r"}
        wait_until(lambda: turns(client, session)[0].status != "queued", "the progress of the turn")
        (turn,) = turns(client, session)

        assert (turn.status, turn.usage, turn.completed_at) == ("in_progress", None, None)
        assert turn.session_id == session.id
        assert client.beta.agents.sessions.retrieve(session.id).status == "in_progress"
    slow.http.stop()


def test_a_completed_turn_leaves_the_session_idle_with_a_final_answer(client: OpenAI, server: Server) -> None:
    session = wait_for_turn(client, create(client, server.script(Say("Hello."))))
    (turn,) = turns(client, session)

    assert (session.status, session.error, turn.status, turn.error) == ("idle", None, "completed", None)
    assert turn.usage is not None
    assert turn.usage.total_tokens == turn.usage.input_tokens + turn.usage.output_tokens > 0
    user, answer = items(client, session)
    assert user.type == answer.type == "message"
    assert (user.role, user.phase, user.content[0].to_dict()) == (
        "user",
        None,
        {"type": "input_text", "text": "Go."},
    )
    assert (answer.role, answer.phase, answer.output_text) == ("assistant", "final_answer", "Hello.")
    assert user.turn_id == answer.turn_id == turn.id


def test_the_model_receives_the_text_of_all_messages_and_no_images(client: OpenAI, server: Server) -> None:
    model = server.script(Say("Yes."))
    image = {"type": "input_image", "image_url": "data:image/png;base64,"}
    messages = [
        {"role": "user", "content": [{"type": "input_text", "text": word}, image]} for word in ("One", "two")
    ]
    session = create(client, model, input=messages)

    (conversation,) = server.models.conversations[model]
    assert (conversation.prompt, conversation.tools) == ("One two", ("fetch",))
    first = items(client, session)[0]
    assert first.type == "message"
    assert first.content[1].type == "input_image"


def test_calls_are_required_actions_and_their_results_start_the_next_round_of_the_turn(
    client: OpenAI, server: Server
) -> None:
    model = server.script(TWO_CALLS, Say("Done."))
    session = wait_for_turn(client, create(client, model))
    one, two = session.required_actions
    assert one.type == two.type == "function_call"
    assert (session.status, one.name, one.arguments) == ("requires_action", "fetch", {"url": "a"})
    (turn,) = turns(client, session)
    assert (turn.status, turn.id, turn.usage) == ("waiting", one.turn_id, None)

    send(client, session, result(one, output=[{"type": "input_text", "text": "page"}]))
    waiting = wait_for_results(client, session)
    assert [action.to_dict() for action in waiting.required_actions] == [two.to_dict()]
    assert len(server.models.conversations[model]) == 1
    send(client, session, result(two, success=False, output=None, error="gone"))
    session = wait_for_results(client, waiting)

    assert session.status == "idle"
    assert [each.id for each in turns(client, session)] == [turn.id]
    (round_,) = server.models.conversations[model][-1].rounds
    assert [exchange.output for exchange in round_] == ["page", "gone"]


def test_a_turn_keeps_its_items_and_sums_the_tokens_of_its_rounds(client: OpenAI, server: Server) -> None:
    step = CallTools((Call.of("fetch", url="a"),))
    session = wait_for_turn(client, create(client, server.script(step, step, Say("Done."))))
    for _ in range(2):
        send(client, session, result(session.required_actions[0], output="o" * 400))
        session = wait_for_results(client, session)

    found = items(client, session, limit=2)  # in five pages
    shown = [f"{item.type} {getattr(item, 'phase', None) or getattr(item, 'status', '')}" for item in found]
    round_ = ["message commentary", "function_call completed", "function_call_output completed"]
    assert shown == ["message completed", *round_, *round_, "message final_answer"]
    assert len({item.id for item in found}) == 8
    (turn,) = turns(client, session)
    assert turn.usage is not None
    assert turn.usage.input_tokens > 300  # 100 of the second round, 200 of the third


@pytest.mark.usefixtures("slow_settling")
def test_an_accepted_result_is_not_visible_at_once(client: OpenAI, server: Server) -> None:
    session = wait_for_turn(client, create(client, server.script(TWO_CALLS, Say("Done."))))
    before = session.required_actions
    send(client, session, *[result(action) for action in before])

    session = client.beta.agents.sessions.retrieve(session.id)
    assert (session.status, session.required_actions) == ("requires_action", before)
    assert wait_for_results(client, session).status == "idle"


@pytest.mark.parametrize("arguments", ["{broken", "[1]", "null", '"x"'])
def test_arguments_that_are_not_an_object_are_sent_as_text(
    client: OpenAI, server: Server, arguments: str
) -> None:
    session = wait_for_turn(client, create(client, server.script(CallTools((Call("fetch", arguments),)))))
    (action,) = session.required_actions
    call = items(client, session)[-1]

    assert action.type == call.type == "function_call"
    assert action.arguments == call.arguments == arguments
    assert call.status == "in_progress"


def test_a_result_for_no_pending_call_rejects_all_results_of_its_request(
    client: OpenAI, server: Server
) -> None:
    session = wait_for_turn(client, create(client, server.script(TWO_CALLS, Say("Done."))))
    one, two = session.required_actions

    unknown = error_of(client, session, result(one), result(two, call_id="call_x"))
    assert (unknown.status_code, unknown.code) == (400, "invalid_request_error")
    assert unknown.body["message"] == "Unknown pending tool call: call_x"  # type: ignore[index]
    assert error_of(client, session, result(one), result(one)).status_code == 400
    assert error_of(client, session, result(one, turn_id="turn_x")).status_code == 400
    send(client, session, result(one))
    assert "Unknown pending tool call" in error_of(client, session, result(one)).message


def test_a_request_that_is_repeated_with_its_key_has_no_effect(client: OpenAI, server: Server) -> None:
    model = server.script(CallTools((Call.of("fetch", url="a"),)), Say("Done."))
    session = wait_for_turn(client, create(client, model))
    (action,) = session.required_actions
    early = result(action, call_id="call_x")
    assert error_of(client, session, early, key="k").status_code == 400  # this does not use the key

    send(client, session, result(action), key="k")
    send(client, session, result(action), key="k")
    assert error_of(client, session, result(action), key="other").status_code == 400
    assert error_of(client, session, result(action, output="p"), key="k").status_code == 409
    session = wait_for_results(client, session)
    send(client, session, result(action), key="k")
    assert client.beta.agents.sessions.retrieve(session.id).status == "idle"
    for _ in range(2):
        send(client, session, message("And?"), key="m")
    assert len(turns(client, session)) == 2
    assert len(server.models.conversations[model]) == 3


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (Fail("server_error", "Broken."), "server_error"),
        (EndIncomplete("max_output_tokens"), "max_output_tokens"),
    ],
)
def test_a_failed_turn_has_a_reason_and_leaves_the_session_idle(
    client: OpenAI, server: Server, step: Any, code: str
) -> None:
    session = wait_for_turn(client, create(client, server.script(step)))
    (turn,) = turns(client, session)

    assert (session.status, session.error, turn.status) == ("idle", None, "failed")
    assert turn.error is not None
    assert turn.error.code == code
    assert [item.type for item in items(client, session)] == ["message"]


def test_a_failed_session_has_an_error_and_accepts_no_message(client: OpenAI, server: Server) -> None:
    session = wait_for_turn(client, create(client, server.script(Fail("session_failed", "Lost."))))
    (turn,) = turns(client, session)

    assert (session.status, session.error) == ("failed", "Lost.")
    assert turn.error is not None
    assert (turn.status, turn.error.code, turn.error.message) == ("failed", "internal_error", "Lost.")
    assert error_of(client, session, message("Go on.")).status_code == 409


def test_a_message_to_an_idle_session_starts_a_turn_that_continues_the_conversation(
    client: OpenAI, server: Server
) -> None:
    model = server.script(Say("Done."))
    session = wait_for_turn(client, create(client, model))
    send(client, session, message("And now?"))
    session = wait_for_turn(client, client.beta.agents.sessions.retrieve(session.id))

    newest, oldest = turns(client, session)
    assert (newest.status, oldest.status) == ("completed", "completed")
    assert turns(client, session, limit=1) == [newest]
    assert turns(client, session, order="asc") == [oldest, newest]
    assert list(client.beta.agents.sessions.turns.list(session.id, limit=1)) == [newest, oldest]
    conversation = server.models.conversations[model][-1]
    assert (conversation.prompt, conversation.previous and conversation.previous.prompt) == (
        "And now?",
        "Go.",
    )
    messages = [(item.turn_id, item.role) for item in items(client, session) if item.type == "message"]
    assert messages == [(turn.id, role) for turn in (oldest, newest) for role in ("user", "assistant")]


def test_a_cancelled_turn_leaves_the_session_idle_for_another_message(client: OpenAI, server: Server) -> None:
    session = create(client, server.script(Hang()))
    send(client, session, CANCEL)
    (turn,) = turns(client, session)
    assert (client.beta.agents.sessions.retrieve(session.id).status, turn.status) == ("idle", "cancelled")
    assert turn.completed_at is not None
    assert turn.usage is not None

    send(client, session, CANCEL)
    assert turns(client, session) == [turn]
    send(client, session, message("Again."))
    assert client.beta.agents.sessions.retrieve(session.id).status == "in_progress"


def test_a_cancel_drops_pending_calls(client: OpenAI, server: Server) -> None:
    session = wait_for_turn(client, create(client, server.script(TWO_CALLS, Say("Done."))))
    actions = session.required_actions
    send(client, session, result(actions[0]))
    send(client, session, CANCEL)
    time.sleep(0.1)

    idle = client.beta.agents.sessions.retrieve(session.id)
    assert (idle.status, idle.required_actions) == ("idle", [])
    assert error_of(client, session, result(actions[1])).status_code == 400
    calls = [item.status for item in items(client, session) if item.type == "function_call"]
    assert calls == ["completed", "incomplete"]


@pytest.mark.usefixtures("slow_settling")
def test_a_cancel_drops_a_round_that_is_not_visible_yet(client: OpenAI, server: Server) -> None:
    session = wait_for_turn(client, create(client, server.script(TWO_CALLS, Say("Done."))))
    send(client, session, *[result(action) for action in session.required_actions])
    send(client, session, CANCEL)
    time.sleep(0.6)

    assert [turn.status for turn in turns(client, session)] == ["cancelled"]
    assert items(client, session)[-1].type == "function_call_output"


def test_a_session_that_is_in_progress_or_waits_accepts_no_message(client: OpenAI, server: Server) -> None:
    for step in (Hang(), TWO_CALLS):
        session = create(client, server.script(step))
        if step is TWO_CALLS:
            assert wait_for_turn(client, session).status == "requires_action"
        assert error_of(client, session, message("Faster!")).status_code == 409
        assert len(turns(client, session)) == 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": [{"role": "assistant", "content": []}]}, "input"),
        ({"environment": {"type": "openai_hosted"}}, "environment"),
        ({"agent": {"tools": []}}, "agent.model"),
        ({"agent": {"model": "m", "tools": [{**FETCH, "strict": True}]}}, "agent.tools[0].strict"),
        ({"agent": {"model": "m", "tools": [{**FETCH, "description": None}]}}, "agent.tools[0].description"),
    ],
)
def test_an_invalid_session_is_rejected(client: OpenAI, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post(
            "/agents/sessions",
            cast_to=object,
            body={"agent": {"model": "m"}, "environment": {"type": "none"}, "input": "Go.", **fields},
            options={"headers": {"OpenAI-Beta": "agents=v1"}},
        )
    assert caught.value.param == param


def test_a_request_without_the_beta_header_is_rejected(client: OpenAI) -> None:
    for path in ("/agents/sessions/x", "/agents/sessions/x/turns", "/agents/sessions/x/items"):
        with pytest.raises(openai.BadRequestError, match="OpenAI-Beta: agents=v1"):
            client.get(path, cast_to=object)
    for path in ("/agents/sessions", "/agents/sessions/x/events"):
        with pytest.raises(openai.BadRequestError, match="OpenAI-Beta: agents=v1"):
            client.post(path, cast_to=object, body={})


def test_unknown_ids_events_and_queries_are_rejected(client: OpenAI, server: Server) -> None:
    sessions = client.beta.agents.sessions
    for request in (sessions.retrieve, sessions.turns.list, sessions.items.list):
        with pytest.raises(openai.NotFoundError, match="No session found with id 'x'."):
            request("x")
    with pytest.raises(openai.NotFoundError):
        sessions.events.create("x", events=[CANCEL])
    session = create(client, server.script(Hang()))
    assert error_of(client, session).param == "events"
    assert error_of(client, session, {"type": "agent.session.input.dance"}).param == "events"
    for query in ({"after": "x"}, {"limit": 0}, {"limit": 101}):
        with pytest.raises(openai.BadRequestError):
            items(client, session, **query)


def test_a_fault_is_injected_once_into_its_operation(client: OpenAI, server: Server) -> None:
    race = '{"error": {"message": "Unknown pending tool call: c", "code": "invalid_request_error"}}'
    operations = ("create", "poll", "turns", "submit", "message", "cancel")
    faults = [Fault(each, 400 if each == "submit" else 503, body=race) for each in operations]
    model = server.script(TWO_CALLS, Say("Done."), faults=[*faults, Fault("create", 500, processed=True)])
    sessions = client.beta.agents.sessions
    with pytest.raises(openai.InternalServerError):
        create(client, model)
    with pytest.raises(openai.InternalServerError):
        create(client, model)
    assert len(server.models.conversations[model]) == 1  # the second request was processed
    session = create(client, model)
    for request in (sessions.retrieve, sessions.turns.list, sessions.items.list):
        with pytest.raises(openai.InternalServerError):
            request(session.id)
    session = wait_for_turn(client, session)
    results = [result(action) for action in session.required_actions]
    assert "Unknown pending tool call" in error_of(client, session, *results, key="k").message
    send(client, session, *results, key="k")
    assert error_of(client, session, CANCEL).status_code == 503
    assert wait_for_results(client, session).status == "idle"
    assert server.models.remaining_faults(model) == []


def test_a_message_may_fail_like_a_creation_and_is_repeated_safely_with_its_key(
    client: OpenAI, server: Server
) -> None:
    model = server.script(Say("Done."))
    session = wait_for_turn(client, create(client, model))
    server.models.remaining_faults(model).append(Fault("create", 0, processed=True))
    with pytest.raises(openai.APIConnectionError):
        send(client, session, message("And?"), key="k")
    send(client, session, message("And?"), key="k")

    assert len(turns(client, wait_for_turn(client, session))) == 2
