"""The Assistants API of the emulator, asked by the OpenAI SDK with strict validation of every answer."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from flask import Flask
from openai import OpenAI
from openai.types.beta.threads import Run

from local.http_server import HttpServer
from local.openai_emulator import (
    Call,
    CallTools,
    Fail,
    Fault,
    Hang,
    Say,
    StopShort,
)
from local.openai_emulator.assistants import Assistants
from local.openai_emulator.scripted_model import ScriptedModels

pytestmark = pytest.mark.filterwarnings(
    "ignore:The Assistants API is deprecated:DeprecationWarning", "ignore:deprecated:DeprecationWarning"
)

FETCH: Any = {
    "type": "function",
    "function": {
        "name": "fetch",
        "description": "Fetch.",
        "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
        "strict": True,
    },
}


@pytest.fixture(scope="module")
def brain() -> ScriptedModels:
    return ScriptedModels()


@pytest.fixture(scope="module")
def base_url(brain: ScriptedModels) -> Iterator[str]:
    flask = Flask(__name__, static_folder=None)
    flask.register_blueprint(Assistants(brain, thinking_seconds=0.05).blueprint(), url_prefix="/v1")
    server = HttpServer(flask)
    yield f"{server.url}/v1"
    server.stop()


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key="x", max_retries=0, _strict_response_validation=True) as made:
        yield made


def asked(client: OpenAI, prompt: str = "Go.") -> str:
    """A thread with a prompt."""
    return client.beta.threads.create(messages=[{"role": "user", "content": prompt}]).id


def started(client: OpenAI, model: str, thread_id: str | None = None, /, **fields: Any) -> Run:
    assistant = client.beta.assistants.create(model=model, tools=[FETCH])
    thread_id = thread_id or asked(client)
    run: Run = client.beta.threads.runs.create(thread_id, assistant_id=assistant.id, **fields)
    return run


def polled(client: OpenAI, run: Run) -> Run:
    return client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def settled(client: OpenAI, run: Run) -> Run:
    while run.status in ("queued", "in_progress"):
        time.sleep(0.01)
        run = polled(client, run)
    return run


def calls(run: Run) -> dict[str, tuple[str, str]]:
    assert run.required_action is not None
    tool_calls = run.required_action.submit_tool_outputs.tool_calls
    return {call.id: (call.function.name, call.function.arguments) for call in tool_calls}


def submitted(client: OpenAI, run: Run, *call_ids: str) -> Run:
    outputs: Any = [{"tool_call_id": id_, "output": f"output of {id_}"} for id_ in call_ids]
    return client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)


def refusal(request: Callable[..., object], *given: Any, **fields: Any) -> str:
    """The words of a request that is refused with 400."""
    with pytest.raises(openai.BadRequestError) as caught:
        request(*given, **fields)
    assert isinstance(caught.value.body, dict)
    return str(caught.value.body["message"])


def test_an_assistant_is_kept_as_it_was_made_until_it_is_deleted(client: OpenAI) -> None:
    made = client.beta.assistants.create(
        model="m", name="Reader", instructions="Read.", tools=[FETCH], metadata={"digest": "d"}
    )
    kept = client.beta.assistants.retrieve(made.id)

    assert kept == made
    assert (kept.name, kept.instructions, kept.metadata) == ("Reader", "Read.", {"digest": "d"})
    assert [tool.to_dict() for tool in kept.tools] == [FETCH]
    assert client.beta.assistants.delete(made.id).deleted
    with pytest.raises(openai.NotFoundError, match=f"No assistant found with id '{made.id}'."):
        client.beta.assistants.retrieve(made.id)


def test_assistants_are_listed_newest_first_and_page_by_page(client: OpenAI) -> None:
    one, two, three = (client.beta.assistants.create(model="m").id for _ in range(3))

    page = client.beta.assistants.list(limit=2)
    assert [each.id for each in page.data] == [three, two]
    assert page.has_more
    assert (page.to_dict()["first_id"], page.to_dict()["last_id"]) == (three, two)
    assert next(each.id for each in page.get_next_page().data) == one
    assert [each.id for each in client.beta.assistants.list(order="asc", after=one)] == [two, three]


def test_an_empty_page_has_no_ends(client: OpenAI) -> None:
    page = client.beta.threads.messages.list(client.beta.threads.create().id)

    assert (page.data, page.has_more) == ([], False)
    assert page.to_dict()["first_id"] is None


def test_a_thread_holds_messages_in_both_orders(client: OpenAI) -> None:
    thread = client.beta.threads.create(
        messages=[{"role": "user", "content": "One."}], metadata={"session": "s"}
    )
    parts: Any = [{"type": "text", "text": "Two."}]
    client.beta.threads.messages.create(thread.id, role="user", content=parts)

    assert client.beta.threads.retrieve(thread.id) == thread
    newest_first = client.beta.threads.messages.list(thread.id, limit=1)
    assert [text(each) for each in newest_first] == ["Two.", "One."]
    assert [text(each) for each in client.beta.threads.messages.list(thread.id, order="asc")] == [
        "One.",
        "Two.",
    ]


def text(message: Any) -> str:
    return "".join(part.text.value for part in message.content)


def test_a_run_is_queued_then_in_progress(client: OpenAI, brain: ScriptedModels) -> None:
    run = started(client, brain.script(Hang()), metadata={"run_id": "r"})
    assert (run.status, run.metadata) == ("queued", {"run_id": "r"})
    while run.status == "queued":
        run = polled(client, run)

    assert run.status == "in_progress"
    assert (run.usage, run.required_action, run.last_error) == (None, None, None)
    assert run.expires_at == run.created_at + 600


def test_a_run_ends_completed_and_the_thread_has_its_message(client: OpenAI, brain: ScriptedModels) -> None:
    run = settled(client, started(client, brain.script(Say("Hello."))))

    assert run.status == "completed"
    assert run.completed_at is not None
    assert run.usage is not None
    assert run.usage.total_tokens == run.usage.prompt_tokens + run.usage.completion_tokens > 0
    newest, prompt = client.beta.threads.messages.list(run.thread_id)
    assert (text(newest), newest.role, newest.run_id, newest.assistant_id) == (
        "Hello.",
        "assistant",
        run.id,
        run.assistant_id,
    )
    assert (prompt.role, prompt.run_id) == ("user", None)
    assert list(client.beta.threads.messages.list(run.thread_id, run_id=run.id)) == [newest]
    assert not list(client.beta.threads.messages.list(run.thread_id, run_id="run_x"))


def test_a_run_keeps_its_id_through_all_rounds(client: OpenAI, brain: ScriptedModels) -> None:
    both = CallTools((Call("fetch", "{broken"), Call.of("fetch", url="x")))
    model = brain.script(both, CallTools((Call.of("fetch", url="y"),)), Say("Done."))
    first = settled(client, started(client, model))
    assert (first.status, first.usage) == ("requires_action", None)
    assert list(calls(first).values()) == [("fetch", "{broken"), ("fetch", '{"url": "x"}')]

    again = submitted(client, first, *reversed(calls(first)))
    assert (again.status, again.required_action) == ("queued", None)
    second = settled(client, again)
    assert list(calls(second).values()) == [("fetch", '{"url": "y"}')]
    done = settled(client, submitted(client, second, *calls(second)))

    assert (done.status, done.id, second.id) == ("completed", first.id, first.id)
    newest = client.beta.threads.messages.list(done.thread_id).data[0]
    assert text(newest) == "Done."
    last = brain.heard[model][-1]
    assert [[each.output for each in round_] for round_ in last.rounds] == [
        [f"output of {id_}" for id_ in calls(first)],
        [f"output of {id_}" for id_ in calls(second)],
    ]
    alone = settled(client, started(client, brain.script(Say("Done."))))
    assert done.usage is not None
    assert alone.usage is not None
    assert done.usage.prompt_tokens > alone.usage.prompt_tokens
    assert done.usage.completion_tokens > alone.usage.completion_tokens


@pytest.mark.parametrize(
    ("step", "status", "error", "reason"),
    [
        (Fail("rate_limit_exceeded", "Slow down."), "failed", ("rate_limit_exceeded", "Slow down."), None),
        (Fail("server_error", "Broken."), "failed", ("server_error", "Broken."), None),
        (StopShort("max_completion_tokens"), "incomplete", None, "max_completion_tokens"),
        (StopShort("expired"), "expired", None, None),
    ],
)
def test_endings_without_a_message_have_their_reason(
    client: OpenAI, brain: ScriptedModels, step: Any, status: str, error: Any, reason: str | None
) -> None:
    run = settled(client, started(client, brain.script(step)))

    assert run.status == status
    assert (run.last_error and (run.last_error.code, run.last_error.message)) == error
    assert (run.incomplete_details and run.incomplete_details.reason) == reason
    assert run.usage is not None
    assert len(client.beta.threads.messages.list(run.thread_id).data) == 1


def test_the_codes_and_reasons_of_a_script_are_sent_as_they_are(
    client: OpenAI, brain: ScriptedModels
) -> None:
    failed = started(client, brain.script(Fail("model_overloaded", "Later.")))
    short = started(client, brain.script(StopShort("content_filter")))
    lax = client.with_options(_extra_kwargs={"_strict_response_validation": False})

    ended: Any = settled(lax, failed)
    with pytest.raises(openai.APIResponseValidationError):
        polled(client, failed)
    assert ended.last_error.code == "model_overloaded"
    ended = settled(lax, short)
    assert (ended.status, ended.incomplete_details.reason) == ("incomplete", "content_filter")


def test_a_run_that_works_or_waits_is_cancelling_for_one_poll_then_cancelled(
    client: OpenAI, brain: ScriptedModels
) -> None:
    working = started(client, brain.script(Hang()))
    waiting = settled(client, started(client, brain.script(CallTools((Call("fetch", "{}"),)))))
    for run in (working, waiting):
        answer = client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
        assert (answer.status, answer.required_action) == ("cancelling", None)
        assert polled(client, run).status == "cancelling"
        ended = polled(client, run)
        assert ended.status == "cancelled"
        assert ended.cancelled_at is not None
        assert ended.usage is not None
        assert polled(client, run) == ended


def test_a_run_that_is_over_or_cancelling_cannot_be_cancelled(client: OpenAI, brain: ScriptedModels) -> None:
    runs = client.beta.threads.runs
    done = settled(client, started(client, brain.script(Say("Done."))))
    words = refusal(runs.cancel, done.id, thread_id=done.thread_id)
    assert words == "Cannot cancel run with status 'completed'."

    cancelled = started(client, brain.script(Hang()))
    runs.cancel(cancelled.id, thread_id=cancelled.thread_id)
    words = refusal(runs.cancel, cancelled.id, thread_id=cancelled.thread_id)
    assert words == "Cannot cancel run with status 'cancelling'."


def test_a_thread_with_an_active_run_takes_neither_a_message_nor_a_run(
    client: OpenAI, brain: ScriptedModels
) -> None:
    run = started(client, brain.script(Hang()))
    thread = run.thread_id

    words = refusal(client.beta.threads.messages.create, thread, role="user", content="And?")
    assert words == f"Can't add messages to {thread} while a run {run.id} is active."
    words = refusal(started, client, "any", thread)
    assert words == f"Thread {thread} already has an active run {run.id}."


def test_outputs_must_be_those_that_the_run_waits_for(client: OpenAI, brain: ScriptedModels) -> None:
    model = brain.script(CallTools((Call("fetch", "{}"), Call("fetch", "{}"))), Hang())
    run = started(client, model)
    run = settled(client, run)
    one, two = calls(run)
    expected = f"Expected tool outputs for call_ids ['{one}', '{two}'], got "
    assert refusal(submitted, client, run, one) == f"{expected}['{one}']"
    assert refusal(submitted, client, run) == f"{expected}[]"
    assert refusal(submitted, client, run, one, two, "call_x") == f"{expected}['{one}', '{two}', 'call_x']"
    assert polled(client, run).status == "requires_action"
    assert submitted(client, run, one, two).status == "queued"
    words = refusal(submitted, client, run, one, two)
    assert re.fullmatch(r'Runs in status "(queued|in_progress)" do not accept tool outputs\.', words)
    assert len(brain.heard[model]) == 2


def test_a_run_may_differ_from_its_assistant(client: OpenAI, brain: ScriptedModels) -> None:
    model = brain.script(Say("Done."))
    search: Any = {"type": "function", "function": {"name": "search"}}
    more: Any = [{"role": "user", "content": "Stay."}]
    asked_for: Any = {"instructions": "Be kind.", "tools": [search, {"type": "file_search"}]}
    run = started(client, "other", model=model, additional_messages=more, **asked_for)

    assert (run.model, run.instructions) == (model, "Be kind.")
    assert [tool.type for tool in run.tools] == ["function", "file_search"]
    assert (brain.heard[model][0].tools, brain.heard[model][0].prompt) == (("search",), "Go.")
    plain = started(client, model)
    assert (plain.model, plain.instructions) == (model, "")
    assert brain.heard[model][1].tools == ("fetch",)


def test_a_follow_up_reads_the_newest_prompt_and_knows_what_went_before(
    client: OpenAI, brain: ScriptedModels
) -> None:
    model = brain.script(Say("Done."))
    first = settled(client, started(client, model, asked(client, "One.")))
    client.beta.threads.messages.create(first.thread_id, role="user", content="Two.")
    second = settled(client, started(client, model, first.thread_id))

    before, after = brain.heard[model]
    assert (before.prompt, before.follows) == ("One.", None)
    assert (after.prompt, after.follows) == ("Two.", before)
    runs = client.beta.threads.runs.list(first.thread_id)
    assert list(runs) == [second, first]
    messages = client.beta.threads.messages.list(first.thread_id, order="asc")
    assert [text(each) for each in messages] == ["One.", "Done.", "Two.", "Done."]
    assert len({each.id for each in messages}) == 4


def test_ids_that_nobody_knows_are_not_found(client: OpenAI, brain: ScriptedModels) -> None:
    thread = asked(client)
    elsewhere = settled(client, started(client, brain.script(Say("Done."))))
    runs = client.beta.threads.runs

    for thread_id, run_id in ((thread, "run_x"), (thread, elsewhere.id)):
        with pytest.raises(openai.NotFoundError, match=f"No run found with id '{run_id}'."):
            runs.retrieve(run_id, thread_id=thread_id)
    with pytest.raises(openai.NotFoundError, match=r"No run found with id 'run_x'."):
        runs.cancel("run_x", thread_id=thread)
    with pytest.raises(openai.NotFoundError, match=r"No thread found with id 'thread_x'."):
        client.beta.threads.messages.list("thread_x")
    with pytest.raises(openai.NotFoundError, match=r"No assistant found with id 'asst_x'."):
        runs.create(thread, assistant_id="asst_x")
    with pytest.raises(openai.NotFoundError, match=r"No assistant found with id 'asst_x'."):
        client.beta.assistants.delete("asst_x")
    with pytest.raises(openai.NotFoundError, match=r"No message found with id 'msg_x'."):
        client.beta.threads.messages.list(thread, after="msg_x")


def test_without_the_beta_header_nothing_is_served(base_url: str, client: OpenAI) -> None:
    answer = httpx.get(f"{base_url}/assistants")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == (
        "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
        "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
    )
    headers = {"OpenAI-Beta": "assistants=v1"}
    words = refusal(client.beta.threads.create, extra_headers=headers)
    assert words.startswith("You must provide the 'OpenAI-Beta' header")


def test_a_request_without_what_it_needs_is_refused(client: OpenAI) -> None:
    flat: Any = {"type": "function", "name": "fetch", "parameters": {}}
    nameless: Any = {"type": "function", "function": {"parameters": {}}}
    create = client.beta.assistants.create
    thread = asked(client)
    kept = create(model="m").id

    missing = "Missing required parameter: '{}'."
    assert refusal(create, model=None) == missing.format("model")
    assert refusal(create, model="m", tools=[FETCH, flat]) == missing.format("tools[1].function")
    assert refusal(create, model="m", tools=[nameless]) == missing.format("tools[0].function.name")
    run = client.beta.threads.runs.create
    assert refusal(run, thread, assistant_id=None) == missing.format("assistant_id")
    assert refusal(run, thread, assistant_id=kept, tools=[flat]) == missing.format("tools[0].function")
    message = client.beta.threads.messages.create
    assert refusal(message, thread, role="user", content=None) == missing.format("content")


def test_a_fault_happens_once_and_where_it_was_asked_for(client: OpenAI, brain: ScriptedModels) -> None:
    operations = ("create", "poll", "submit", "message", "cancel")
    faults = [Fault("poll", 0), *(Fault(each, 429, {"retry-after": "3"}) for each in operations)]
    model = brain.script(CallTools((Call("fetch", "{}"),)), Say("Done."), faults=faults)
    thread = asked(client)

    def limited(request: Callable[..., object], *given: Any, **fields: Any) -> None:
        with pytest.raises(openai.RateLimitError) as caught:
            request(*given, **fields)
        assert caught.value.response.headers["retry-after"] == "3"

    limited(started, client, model, thread)
    run = started(client, model, thread)
    with pytest.raises(openai.APIConnectionError):
        polled(client, run)
    limited(polled, client, run)
    run = settled(client, run)
    limited(submitted, client, run, *calls(run))
    run = settled(client, submitted(client, run, *calls(run)))
    limited(client.beta.threads.messages.list, thread)
    limited(client.beta.threads.runs.cancel, run.id, thread_id=thread)

    assert run.status == "completed"
    assert not brain.unspent(model)


def test_a_server_may_act_and_answer_wrongly_all_the_same(client: OpenAI, brain: ScriptedModels) -> None:
    faults = [Fault("create", 500, acted=True), Fault("submit", 500, acted=True)]
    model = brain.script(CallTools((Call("fetch", "{}"),)), Say("Done."), faults=faults)
    thread = asked(client)
    with pytest.raises(openai.InternalServerError):
        started(client, model, thread)

    (run,) = client.beta.threads.runs.list(thread)
    run = settled(client, run)
    with pytest.raises(openai.InternalServerError):
        submitted(client, run, *calls(run))
    assert settled(client, polled(client, run)).status == "completed"
    assert len(brain.heard[model]) == 2
