"""The Assistants API of the emulator, with the OpenAI SDK and its strict validation of every response."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from flask import Flask
from openai import OpenAI
from openai.types.beta.threads import Run
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
def models() -> ScriptedModels:
    return ScriptedModels()


@pytest.fixture(scope="module")
def base_url(models: ScriptedModels) -> Iterator[str]:
    flask = Flask(__name__, static_folder=None)
    flask.register_blueprint(Assistants(models, model_seconds=0.05).blueprint(), url_prefix="/v1")
    server = HttpServer(flask)
    yield f"{server.url}/v1"
    server.stop()


@pytest.fixture
def client(base_url: str) -> Iterator[OpenAI]:
    with OpenAI(base_url=base_url, api_key="x", max_retries=0, _strict_response_validation=True) as strict:
        yield strict


def create_thread(client: OpenAI, prompt: str = "Go.") -> str:
    """Create a thread with a prompt. Returns its id."""
    return client.beta.threads.create(messages=[{"role": "user", "content": prompt}]).id


def start(client: OpenAI, model: str, thread_id: str | None = None, /, **fields: Any) -> Run:
    assistant = client.beta.assistants.create(model=model, tools=[FETCH])
    thread_id = thread_id or create_thread(client)
    run: Run = client.beta.threads.runs.create(thread_id, assistant_id=assistant.id, **fields)
    return run


def poll(client: OpenAI, run: Run) -> Run:
    return client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)


def poll_while(client: OpenAI, run: Run, *statuses: str) -> Run:
    """Poll a run until it has none of these statuses."""

    def changed() -> Run | None:
        latest = poll(client, run)
        return latest if latest.status not in statuses else None

    return wait_until(changed, f"another status than {' and '.join(statuses)}") or run


def wait_for_run(client: OpenAI, run: Run) -> Run:
    """The run as soon as it has ended or waits."""
    return poll_while(client, run, "queued", "in_progress")


def calls(run: Run) -> dict[str, tuple[str, str]]:
    assert run.required_action is not None
    tool_calls = run.required_action.submit_tool_outputs.tool_calls
    return {call.id: (call.function.name, call.function.arguments) for call in tool_calls}


def submit(client: OpenAI, run: Run, *call_ids: str) -> Run:
    outputs: Any = [{"tool_call_id": id_, "output": f"output of {id_}"} for id_ in call_ids]
    return client.beta.threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs)


def rejection(request: Callable[..., object], *args: Any, **fields: Any) -> str:
    """The message of the 400 with which a request is rejected."""
    with pytest.raises(openai.BadRequestError) as caught:
        request(*args, **fields)
    assert isinstance(caught.value.body, dict)
    return str(caught.value.body["message"])


def test_an_assistant_does_not_change_until_it_is_deleted(client: OpenAI) -> None:
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


def test_an_empty_page_has_no_first_and_no_last_id(client: OpenAI) -> None:
    page = client.beta.threads.messages.list(client.beta.threads.create().id)

    assert (page.data, page.has_more) == ([], False)
    assert page.to_dict()["first_id"] is None


def test_messages_of_a_thread_are_listed_in_both_orders(client: OpenAI) -> None:
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


def test_a_run_is_queued_then_in_progress(client: OpenAI, models: ScriptedModels) -> None:
    run = start(client, models.script(Hang()), metadata={"run_id": "r"})
    assert (run.status, run.metadata) == ("queued", {"run_id": "r"})
    run = poll_while(client, run, "queued")

    assert run.status == "in_progress"
    assert (run.usage, run.required_action, run.last_error) == (None, None, None)
    assert run.expires_at == run.created_at + 600


def test_a_run_ends_completed_and_the_thread_has_its_message(client: OpenAI, models: ScriptedModels) -> None:
    run = wait_for_run(client, start(client, models.script(Say("Hello."))))

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


def test_a_run_has_the_same_id_in_all_rounds(client: OpenAI, models: ScriptedModels) -> None:
    both = CallTools((Call("fetch", "{broken"), Call.of("fetch", url="x")))
    model = models.script(both, CallTools((Call.of("fetch", url="y"),)), Say("Done."))
    first = wait_for_run(client, start(client, model))
    assert (first.status, first.usage) == ("requires_action", None)
    assert list(calls(first).values()) == [("fetch", "{broken"), ("fetch", '{"url": "x"}')]

    again = submit(client, first, *reversed(calls(first)))
    assert (again.status, again.required_action) == ("queued", None)
    second = wait_for_run(client, again)
    assert list(calls(second).values()) == [("fetch", '{"url": "y"}')]
    done = wait_for_run(client, submit(client, second, *calls(second)))

    assert (done.status, done.id, second.id) == ("completed", first.id, first.id)
    newest = client.beta.threads.messages.list(done.thread_id).data[0]
    assert text(newest) == "Done."
    last = models.conversations[model][-1]
    assert [[each.output for each in round_] for round_ in last.rounds] == [
        [f"output of {id_}" for id_ in calls(first)],
        [f"output of {id_}" for id_ in calls(second)],
    ]
    alone = wait_for_run(client, start(client, models.script(Say("Done."))))
    assert done.usage is not None
    assert alone.usage is not None
    assert done.usage.prompt_tokens > alone.usage.prompt_tokens
    assert done.usage.completion_tokens > alone.usage.completion_tokens


@pytest.mark.parametrize(
    ("step", "status", "error", "reason"),
    [
        (Fail("rate_limit_exceeded", "Slow down."), "failed", ("rate_limit_exceeded", "Slow down."), None),
        (Fail("server_error", "Broken."), "failed", ("server_error", "Broken."), None),
        (EndIncomplete("max_completion_tokens"), "incomplete", None, "max_completion_tokens"),
        (EndIncomplete("expired"), "expired", None, None),
    ],
)
def test_a_run_that_ends_without_a_message_has_a_reason(
    client: OpenAI, models: ScriptedModels, step: Any, status: str, error: Any, reason: str | None
) -> None:
    run = wait_for_run(client, start(client, models.script(step)))

    assert run.status == status
    assert (run.last_error and (run.last_error.code, run.last_error.message)) == error
    assert (run.incomplete_details and run.incomplete_details.reason) == reason
    assert run.usage is not None
    assert len(client.beta.threads.messages.list(run.thread_id).data) == 1


def test_codes_and_reasons_of_a_script_are_sent_unchanged(client: OpenAI, models: ScriptedModels) -> None:
    failed = start(client, models.script(Fail("model_overloaded", "Later.")))
    short = start(client, models.script(EndIncomplete("content_filter")))
    lax = client.with_options(_extra_kwargs={"_strict_response_validation": False})

    ended: Any = wait_for_run(lax, failed)
    with pytest.raises(openai.APIResponseValidationError):
        poll(client, failed)
    assert ended.last_error.code == "model_overloaded"
    ended = wait_for_run(lax, short)
    assert (ended.status, ended.incomplete_details.reason) == ("incomplete", "content_filter")


def test_a_run_that_is_in_progress_or_waits_is_cancelling_for_one_poll_then_cancelled(
    client: OpenAI, models: ScriptedModels
) -> None:
    working = start(client, models.script(Hang()))
    waiting = wait_for_run(client, start(client, models.script(CallTools((Call("fetch", "{}"),)))))
    for run in (working, waiting):
        response = client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
        assert (response.status, response.required_action) == ("cancelling", None)
        assert poll(client, run).status == "cancelling"
        ended = poll(client, run)
        assert ended.status == "cancelled"
        assert ended.cancelled_at is not None
        assert ended.usage is not None
        assert poll(client, run) == ended


def test_a_run_that_has_ended_or_is_cancelling_cannot_be_cancelled(
    client: OpenAI, models: ScriptedModels
) -> None:
    runs = client.beta.threads.runs
    done = wait_for_run(client, start(client, models.script(Say("Done."))))
    message = rejection(runs.cancel, done.id, thread_id=done.thread_id)
    assert message == "Cannot cancel run with status 'completed'."

    cancelled = start(client, models.script(Hang()))
    runs.cancel(cancelled.id, thread_id=cancelled.thread_id)
    message = rejection(runs.cancel, cancelled.id, thread_id=cancelled.thread_id)
    assert message == "Cannot cancel run with status 'cancelling'."


def test_a_thread_with_an_active_run_accepts_neither_a_message_nor_a_run(
    client: OpenAI, models: ScriptedModels
) -> None:
    run = start(client, models.script(Hang()))
    thread = run.thread_id

    message = rejection(client.beta.threads.messages.create, thread, role="user", content="And?")
    assert message == f"Can't add messages to {thread} while a run {run.id} is active."
    message = rejection(start, client, "any", thread)
    assert message == f"Thread {thread} already has an active run {run.id}."


def test_outputs_must_be_those_of_the_pending_calls(client: OpenAI, models: ScriptedModels) -> None:
    model = models.script(CallTools((Call("fetch", "{}"), Call("fetch", "{}"))), Hang())
    run = start(client, model)
    run = wait_for_run(client, run)
    one, two = calls(run)
    expected = f"Expected tool outputs for call_ids ['{one}', '{two}'], got "
    assert rejection(submit, client, run, one) == f"{expected}['{one}']"
    assert rejection(submit, client, run) == f"{expected}[]"
    assert rejection(submit, client, run, one, two, "call_x") == f"{expected}['{one}', '{two}', 'call_x']"
    assert poll(client, run).status == "requires_action"
    assert submit(client, run, one, two).status == "queued"
    message = rejection(submit, client, run, one, two)
    assert re.fullmatch(r'Runs in status "(queued|in_progress)" do not accept tool outputs\.', message)
    assert len(models.conversations[model]) == 2


def test_a_run_may_override_the_settings_of_its_assistant(client: OpenAI, models: ScriptedModels) -> None:
    model = models.script(Say("Done."))
    search: Any = {"type": "function", "function": {"name": "search"}}
    more: Any = [{"role": "user", "content": "Stay."}]
    overrides: Any = {"instructions": "Be kind.", "tools": [search, {"type": "file_search"}]}
    run = start(client, "other", model=model, additional_messages=more, **overrides)

    assert (run.model, run.instructions) == (model, "Be kind.")
    assert [tool.type for tool in run.tools] == ["function", "file_search"]
    assert (models.conversations[model][0].tools, models.conversations[model][0].prompt) == (
        ("search",),
        "Go.",
    )
    plain = start(client, model)
    assert (plain.model, plain.instructions) == (model, "")
    assert models.conversations[model][1].tools == ("fetch",)


def test_a_follow_up_has_the_latest_prompt_and_the_previous_conversation(
    client: OpenAI, models: ScriptedModels
) -> None:
    model = models.script(Say("Done."))
    first = wait_for_run(client, start(client, model, create_thread(client, "One.")))
    client.beta.threads.messages.create(first.thread_id, role="user", content="Two.")
    second = wait_for_run(client, start(client, model, first.thread_id))

    before, after = models.conversations[model]
    assert (before.prompt, before.previous) == ("One.", None)
    assert (after.prompt, after.previous) == ("Two.", before)
    runs = client.beta.threads.runs.list(first.thread_id)
    assert list(runs) == [second, first]
    messages = client.beta.threads.messages.list(first.thread_id, order="asc")
    assert [text(each) for each in messages] == ["One.", "Done.", "Two.", "Done."]
    assert len({each.id for each in messages}) == 4


def test_unknown_ids_are_not_found(client: OpenAI, models: ScriptedModels) -> None:
    thread = create_thread(client)
    elsewhere = wait_for_run(client, start(client, models.script(Say("Done."))))
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


def test_a_request_without_the_beta_header_is_rejected(base_url: str, client: OpenAI) -> None:
    response = httpx.get(f"{base_url}/assistants")
    assert response.status_code == 400
    assert response.json()["error"]["message"] == (
        "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
        "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
    )
    headers = {"OpenAI-Beta": "assistants=v1"}
    message = rejection(client.beta.threads.create, extra_headers=headers)
    assert message.startswith("You must provide the 'OpenAI-Beta' header")


def test_a_request_without_a_required_parameter_is_rejected(client: OpenAI) -> None:
    flat: Any = {"type": "function", "name": "fetch", "parameters": {}}
    nameless: Any = {"type": "function", "function": {"parameters": {}}}
    create = client.beta.assistants.create
    thread = create_thread(client)
    kept = create(model="m").id

    missing = "Missing required parameter: '{}'."
    assert rejection(create, model=None) == missing.format("model")
    assert rejection(create, model="m", tools=[FETCH, flat]) == missing.format("tools[1].function")
    assert rejection(create, model="m", tools=[nameless]) == missing.format("tools[0].function.name")
    run = client.beta.threads.runs.create
    assert rejection(run, thread, assistant_id=None) == missing.format("assistant_id")
    assert rejection(run, thread, assistant_id=kept, tools=[flat]) == missing.format("tools[0].function")
    message = client.beta.threads.messages.create
    assert rejection(message, thread, role="user", content=None) == missing.format("content")


def test_a_fault_is_injected_once_into_its_operation(client: OpenAI, models: ScriptedModels) -> None:
    operations = ("create", "poll", "submit", "message", "cancel")
    faults = [Fault("poll", 0), *(Fault(each, 429, {"retry-after": "3"}) for each in operations)]
    model = models.script(CallTools((Call("fetch", "{}"),)), Say("Done."), faults=faults)
    thread = create_thread(client)

    def assert_rate_limited(request: Callable[..., object], *args: Any, **fields: Any) -> None:
        with pytest.raises(openai.RateLimitError) as caught:
            request(*args, **fields)
        assert caught.value.response.headers["retry-after"] == "3"

    assert_rate_limited(start, client, model, thread)
    run = start(client, model, thread)
    with pytest.raises(openai.APIConnectionError):
        poll(client, run)
    assert_rate_limited(poll, client, run)
    run = wait_for_run(client, run)
    assert_rate_limited(submit, client, run, *calls(run))
    run = wait_for_run(client, submit(client, run, *calls(run)))
    assert_rate_limited(client.beta.threads.messages.list, thread)
    assert_rate_limited(client.beta.threads.runs.cancel, run.id, thread_id=thread)

    assert run.status == "completed"
    assert not models.remaining_faults(model)


def test_a_request_may_be_processed_before_it_fails(client: OpenAI, models: ScriptedModels) -> None:
    faults = [Fault("create", 500, processed=True), Fault("submit", 500, processed=True)]
    model = models.script(CallTools((Call("fetch", "{}"),)), Say("Done."), faults=faults)
    thread = create_thread(client)
    with pytest.raises(openai.InternalServerError):
        start(client, model, thread)

    (run,) = client.beta.threads.runs.list(thread)
    run = wait_for_run(client, run)
    with pytest.raises(openai.InternalServerError):
        submit(client, run, *calls(run))
    assert wait_for_run(client, poll(client, run)).status == "completed"
    assert len(models.conversations[model]) == 2
