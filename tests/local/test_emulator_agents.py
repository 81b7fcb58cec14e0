"""The Agents API of the emulator, asked by the OpenAI SDK with its own strict validation of every answer."""

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

from local.http_server import HttpServer
from local.openai_emulator import (
    Call,
    CallTools,
    Fail,
    Fault,
    Hang,
    Say,
    StopShort,
    agent_sessions,
)
from local.openai_emulator.agents import Agents
from local.openai_emulator.scripted_model import ScriptedModels

FETCH: Any = {"type": "function", "name": "fetch", "description": "Fetch.", "parameters": {"type": "object"}}
CANCEL: Any = {"type": "agent.session.input.cancel"}
TWO_CALLS = CallTools((Call.of("fetch", url="a"), Call.of("fetch", url="b")))


@dataclass
class Server:
    """A brain, and the Agents API over it on loopback."""

    thinking_seconds: float
    brain: ScriptedModels = field(default_factory=ScriptedModels)

    def __post_init__(self) -> None:
        flask = Flask(__name__, static_folder=None)
        flask.register_blueprint(Agents(self.brain, self.thinking_seconds).blueprint(), url_prefix="/v1")
        self.loopback = HttpServer(flask)
        self.script = self.brain.script


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(0.05)
    yield made
    made.loopback.stop()


@pytest.fixture
def client(server: Server) -> Iterator[OpenAI]:
    with asking(server) as made:
        yield made


@pytest.fixture
def slow_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """For what must be seen before a result settles, on any machine."""
    monkeypatch.setattr(agent_sessions, "SETTLING_SECONDS", 0.5)


def asking(server: Server) -> OpenAI:
    return OpenAI(
        base_url=f"{server.loopback.url}/v1", api_key="x", max_retries=0, _strict_response_validation=True
    )


def created(client: OpenAI, model: str, **fields: Any) -> AgentSession:
    agent: Any = {"model": model, "instructions": "Be kind.", "tools": [FETCH]}
    given: Any = {"agent": agent, "environment": {"type": "none"}, "input": "Go.", **fields}
    session: AgentSession = client.beta.agents.sessions.create(**given)
    return session


def settled(client: OpenAI, session: AgentSession) -> AgentSession:
    while session.status == "in_progress":
        time.sleep(0.01)
        session = client.beta.agents.sessions.retrieve(session.id)
    return session


def turns(client: OpenAI, session: AgentSession, **query: Any) -> list[Turn]:
    return client.beta.agents.sessions.turns.list(session.id, **query).data


def items(client: OpenAI, session: AgentSession, **query: Any) -> list[AgentSessionItem]:
    """All items, page by page as the SDK turns them."""
    return list(client.beta.agents.sessions.items.list(session.id, order="asc", **query))


def send(client: OpenAI, session: AgentSession, *events: Any, key: Any = openai.omit) -> None:
    client.beta.agents.sessions.events.create(session.id, events=events, idempotency_key=key)


def refused(
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
    said = {"role": "user", "content": [{"type": "input_text", "text": text}]}
    return {"type": "agent.session.input.message", "input": [said]}


def applied(client: OpenAI, session: AgentSession) -> AgentSession:
    """The session as soon as it shows no more of the required actions that it showed."""
    old = session.required_actions
    while session.required_actions == old:
        time.sleep(0.005)
        session = client.beta.agents.sessions.retrieve(session.id)
    return settled(client, session)


def test_a_session_works_while_its_turn_is_queued_then_in_progress() -> None:
    slow = Server(0.6)
    with asking(slow) as client:
        session = created(client, slow.script(Hang()), metadata={"run_id": "r"})
        (turn,) = turns(client, session)
        assert (session.status, turn.status, turn.started_at) == ("in_progress", "queued", None)
        assert session.metadata == {"run_id": "r"}
        while turn.status == "queued":
            (turn,) = turns(client, session)

        assert (turn.status, turn.usage, turn.completed_at) == ("in_progress", None, None)
        assert turn.session_id == session.id
        assert client.beta.agents.sessions.retrieve(session.id).status == "in_progress"
    slow.loopback.stop()


def test_a_completed_turn_leaves_the_session_idle_with_a_final_answer(client: OpenAI, server: Server) -> None:
    session = settled(client, created(client, server.script(Say("Hello."))))
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


def test_the_model_hears_the_text_of_all_messages_and_is_blind_to_images(
    client: OpenAI, server: Server
) -> None:
    model = server.script(Say("Yes."))
    image = {"type": "input_image", "image_url": "data:image/png;base64,"}
    said = [
        {"role": "user", "content": [{"type": "input_text", "text": word}, image]} for word in ("One", "two")
    ]
    session = created(client, model, input=said)

    (heard,) = server.brain.heard[model]
    assert (heard.prompt, heard.tools) == ("One two", ("fetch",))
    first = items(client, session)[0]
    assert first.type == "message"
    assert first.content[1].type == "input_image"


def test_calls_are_required_actions_and_their_results_start_the_next_round_of_the_same_turn(
    client: OpenAI, server: Server
) -> None:
    model = server.script(TWO_CALLS, Say("Done."))
    session = settled(client, created(client, model))
    one, two = session.required_actions
    assert one.type == two.type == "function_call"
    assert (session.status, one.name, one.arguments) == ("requires_action", "fetch", {"url": "a"})
    (turn,) = turns(client, session)
    assert (turn.status, turn.id, turn.usage) == ("waiting", one.turn_id, None)

    send(client, session, result(one, output=[{"type": "input_text", "text": "page"}]))
    waiting = applied(client, session)
    assert [action.to_dict() for action in waiting.required_actions] == [two.to_dict()]
    assert len(server.brain.heard[model]) == 1
    send(client, session, result(two, success=False, output=None, error="gone"))
    session = applied(client, waiting)

    assert session.status == "idle"
    assert [each.id for each in turns(client, session)] == [turn.id]
    (round_,) = server.brain.heard[model][-1].rounds
    assert [exchange.output for exchange in round_] == ["page", "gone"]


def test_a_turn_keeps_its_items_and_sums_the_tokens_of_its_rounds(client: OpenAI, server: Server) -> None:
    step = CallTools((Call.of("fetch", url="a"),))
    session = settled(client, created(client, server.script(step, step, Say("Done."))))
    for _ in range(2):
        send(client, session, result(session.required_actions[0], output="o" * 400))
        session = applied(client, session)

    found = items(client, session, limit=2)  # in five pages
    shown = [f"{item.type} {getattr(item, 'phase', None) or getattr(item, 'status', '')}" for item in found]
    round_ = ["message commentary", "function_call completed", "function_call_output completed"]
    assert shown == ["message completed", *round_, *round_, "message final_answer"]
    assert len({item.id for item in found}) == 8
    (turn,) = turns(client, session)
    assert turn.usage is not None
    assert turn.usage.input_tokens > 300  # 100 of the second round, 200 of the third


@pytest.mark.usefixtures("slow_settling")
def test_an_accepted_result_is_not_applied_at_once(client: OpenAI, server: Server) -> None:
    session = settled(client, created(client, server.script(TWO_CALLS, Say("Done."))))
    before = session.required_actions
    send(client, session, *[result(action) for action in before])

    session = client.beta.agents.sessions.retrieve(session.id)
    assert (session.status, session.required_actions) == ("requires_action", before)
    assert applied(client, session).status == "idle"


@pytest.mark.parametrize("words", ["{broken", "[1]", "null", '"x"'])
def test_arguments_that_are_no_object_are_sent_as_they_stand(
    client: OpenAI, server: Server, words: str
) -> None:
    session = settled(client, created(client, server.script(CallTools((Call("fetch", words),)))))
    (action,) = session.required_actions
    call = items(client, session)[-1]

    assert action.type == call.type == "function_call"
    assert action.arguments == call.arguments == words
    assert call.status == "in_progress"


def test_results_for_no_pending_call_are_refused_and_none_beside_them_is_taken(
    client: OpenAI, server: Server
) -> None:
    session = settled(client, created(client, server.script(TWO_CALLS, Say("Done."))))
    one, two = session.required_actions

    strange = refused(client, session, result(one), result(two, call_id="call_x"))
    assert (strange.status_code, strange.code) == (400, "invalid_request_error")
    assert strange.body["message"] == "Unknown pending tool call: call_x"  # type: ignore[index]
    assert refused(client, session, result(one), result(one)).status_code == 400
    assert refused(client, session, result(one, turn_id="turn_x")).status_code == 400
    send(client, session, result(one))
    assert "Unknown pending tool call" in refused(client, session, result(one)).message


def test_a_request_repeated_under_its_key_is_accepted_again_without_effect(
    client: OpenAI, server: Server
) -> None:
    model = server.script(CallTools((Call.of("fetch", url="a"),)), Say("Done."))
    session = settled(client, created(client, model))
    (action,) = session.required_actions
    early = result(action, call_id="call_x")
    assert refused(client, session, early, key="k").status_code == 400  # which does not use up the key

    send(client, session, result(action), key="k")
    send(client, session, result(action), key="k")
    assert refused(client, session, result(action), key="other").status_code == 400
    assert refused(client, session, result(action, output="p"), key="k").status_code == 409
    session = applied(client, session)
    send(client, session, result(action), key="k")
    assert client.beta.agents.sessions.retrieve(session.id).status == "idle"
    for _ in range(2):
        send(client, session, message("And?"), key="m")
    assert len(turns(client, session)) == 2
    assert len(server.brain.heard[model]) == 3


@pytest.mark.parametrize(
    ("step", "code"),
    [
        (Fail("server_error", "Broken."), "server_error"),
        (StopShort("max_output_tokens"), "max_output_tokens"),
    ],
)
def test_a_failed_turn_has_its_reason_and_leaves_the_session_idle(
    client: OpenAI, server: Server, step: Any, code: str
) -> None:
    session = settled(client, created(client, server.script(step)))
    (turn,) = turns(client, session)

    assert (session.status, session.error, turn.status) == ("idle", None, "failed")
    assert turn.error is not None
    assert turn.error.code == code
    assert [item.type for item in items(client, session)] == ["message"]


def test_a_failed_session_says_why_and_takes_no_message(client: OpenAI, server: Server) -> None:
    session = settled(client, created(client, server.script(Fail("session_failed", "Lost."))))
    (turn,) = turns(client, session)

    assert (session.status, session.error) == ("failed", "Lost.")
    assert turn.error is not None
    assert (turn.status, turn.error.code, turn.error.message) == ("failed", "internal_error", "Lost.")
    assert refused(client, session, message("Go on.")).status_code == 409


def test_a_message_to_an_idle_session_starts_a_turn_that_follows(client: OpenAI, server: Server) -> None:
    model = server.script(Say("Done."))
    session = settled(client, created(client, model))
    send(client, session, message("And now?"))
    session = settled(client, client.beta.agents.sessions.retrieve(session.id))

    newest, oldest = turns(client, session)
    assert (newest.status, oldest.status) == ("completed", "completed")
    assert turns(client, session, limit=1) == [newest]
    assert turns(client, session, order="asc") == [oldest, newest]
    assert list(client.beta.agents.sessions.turns.list(session.id, limit=1)) == [newest, oldest]
    heard = server.brain.heard[model][-1]
    assert (heard.prompt, heard.follows and heard.follows.prompt) == ("And now?", "Go.")
    said = [(item.turn_id, item.role) for item in items(client, session) if item.type == "message"]
    assert said == [(turn.id, role) for turn in (oldest, newest) for role in ("user", "assistant")]


def test_a_cancelled_turn_leaves_the_session_idle_and_ready(client: OpenAI, server: Server) -> None:
    session = created(client, server.script(Hang()))
    send(client, session, CANCEL)
    (turn,) = turns(client, session)
    assert (client.beta.agents.sessions.retrieve(session.id).status, turn.status) == ("idle", "cancelled")
    assert turn.completed_at is not None
    assert turn.usage is not None

    send(client, session, CANCEL)
    assert turns(client, session) == [turn]
    send(client, session, message("Again."))
    assert client.beta.agents.sessions.retrieve(session.id).status == "in_progress"


def test_a_cancel_drops_the_calls_that_wait(client: OpenAI, server: Server) -> None:
    session = settled(client, created(client, server.script(TWO_CALLS, Say("Done."))))
    actions = session.required_actions
    send(client, session, result(actions[0]))
    send(client, session, CANCEL)
    time.sleep(0.1)

    idle = client.beta.agents.sessions.retrieve(session.id)
    assert (idle.status, idle.required_actions) == ("idle", [])
    assert refused(client, session, result(actions[1])).status_code == 400
    calls = [item.status for item in items(client, session) if item.type == "function_call"]
    assert calls == ["completed", "incomplete"]


@pytest.mark.usefixtures("slow_settling")
def test_a_cancel_drops_the_round_that_does_not_show_yet(client: OpenAI, server: Server) -> None:
    session = settled(client, created(client, server.script(TWO_CALLS, Say("Done."))))
    send(client, session, *[result(action) for action in session.required_actions])
    send(client, session, CANCEL)
    time.sleep(0.6)

    assert [turn.status for turn in turns(client, session)] == ["cancelled"]
    assert items(client, session)[-1].type == "function_call_output"


def test_a_session_that_works_or_waits_takes_no_message(client: OpenAI, server: Server) -> None:
    for step in (Hang(), TWO_CALLS):
        session = created(client, server.script(step))
        if step is TWO_CALLS:
            assert settled(client, session).status == "requires_action"
        assert refused(client, session, message("Faster!")).status_code == 409
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
def test_a_session_that_cannot_be_is_refused(client: OpenAI, fields: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.post(
            "/agents/sessions",
            cast_to=object,
            body={"agent": {"model": "m"}, "environment": {"type": "none"}, "input": "Go.", **fields},
            options={"headers": {"OpenAI-Beta": "agents=v1"}},
        )
    assert caught.value.param == param


def test_without_the_header_of_the_beta_nothing_is_answered(client: OpenAI) -> None:
    for path in ("/agents/sessions/x", "/agents/sessions/x/turns", "/agents/sessions/x/items"):
        with pytest.raises(openai.BadRequestError, match="OpenAI-Beta: agents=v1"):
            client.get(path, cast_to=object)
    for path in ("/agents/sessions", "/agents/sessions/x/events"):
        with pytest.raises(openai.BadRequestError, match="OpenAI-Beta: agents=v1"):
            client.post(path, cast_to=object, body={})


def test_what_is_unknown_is_refused(client: OpenAI, server: Server) -> None:
    sessions = client.beta.agents.sessions
    for ask in (sessions.retrieve, sessions.turns.list, sessions.items.list):
        with pytest.raises(openai.NotFoundError, match="No session found with id 'x'."):
            ask("x")
    with pytest.raises(openai.NotFoundError):
        sessions.events.create("x", events=[CANCEL])
    session = created(client, server.script(Hang()))
    assert refused(client, session).param == "events"
    assert refused(client, session, {"type": "agent.session.input.dance"}).param == "events"
    for query in ({"after": "x"}, {"limit": 0}, {"limit": 101}):
        with pytest.raises(openai.BadRequestError):
            items(client, session, **query)


def test_a_fault_happens_once_and_where_it_was_asked_for(client: OpenAI, server: Server) -> None:
    race = '{"error": {"message": "Unknown pending tool call: c", "code": "invalid_request_error"}}'
    operations = ("create", "poll", "turns", "submit", "message", "cancel")
    faults = [Fault(each, 400 if each == "submit" else 503, body=race) for each in operations]
    model = server.script(TWO_CALLS, Say("Done."), faults=[*faults, Fault("create", 500, acted=True)])
    sessions = client.beta.agents.sessions
    with pytest.raises(openai.InternalServerError):
        created(client, model)
    with pytest.raises(openai.InternalServerError):
        created(client, model)
    assert len(server.brain.heard[model]) == 1  # the second time it acted
    session = created(client, model)
    for ask in (sessions.retrieve, sessions.turns.list, sessions.items.list):
        with pytest.raises(openai.InternalServerError):
            ask(session.id)
    session = settled(client, session)
    answers = [result(action) for action in session.required_actions]
    assert "Unknown pending tool call" in refused(client, session, *answers, key="k").message
    send(client, session, *answers, key="k")
    assert refused(client, session, CANCEL).status_code == 503
    assert applied(client, session).status == "idle"
    assert server.brain.unspent(model) == []


def test_a_message_is_a_creation_to_the_weather_and_its_key_saves_it_from_a_lost_answer(
    client: OpenAI, server: Server
) -> None:
    model = server.script(Say("Done."))
    session = settled(client, created(client, model))
    server.brain.unspent(model).append(Fault("create", 0, acted=True))
    with pytest.raises(openai.APIConnectionError):
        send(client, session, message("And?"), key="k")
    send(client, session, message("And?"), key="k")

    assert len(turns(client, settled(client, session))) == 2
