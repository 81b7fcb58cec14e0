"""The Assistants API (v2) of the emulator: assistants, threads, messages, and runs with tool calls.

Answers carry every field that the SDK's strict validation asks for; refusals are worded as OpenAI
words them.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from flask import Blueprint, Response, jsonify, request

from local.openai_emulator.conversation import (
    CallTools,
    Conversation,
    Fail,
    Say,
    StopShort,
)
from local.openai_emulator.errors import ApiError
from local.openai_emulator.scripted_faults import weather
from local.openai_emulator.scripted_model import ScriptedModels
from local.openai_emulator.turn import Turn

_Document = dict[str, Any]
_Held = TypeVar("_Held")

_TERMINAL = ("completed", "failed", "cancelled", "expired", "incomplete")


@dataclass
class _Run:
    """A run: what stays the same of it, and a turn of the model for each of its rounds."""

    document: _Document
    turns: list[Turn]
    cancelling: bool = False
    cancelled_at: int | None = None

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def turn(self) -> Turn:
        """The newest turn."""
        return self.turns[-1]

    @property
    def status(self) -> str:
        if self.cancelling:
            return "cancelling" if self.cancelled_at is None else "cancelled"
        if self.turn.phase != "done":
            return self.turn.phase
        if self.turn.step == StopShort("expired"):
            return "expired"
        ends = {CallTools: "requires_action", Fail: "failed", StopShort: "incomplete"}
        return ends.get(type(self.turn.step), "completed")


@dataclass(frozen=True)
class _Thread:
    """A thread: its messages and its runs, in the order of time.

    A run stands for the message that it ends with: while it works nothing else is added.
    """

    document: _Document
    entries: list[_Document | _Run]

    @property
    def runs(self) -> list[_Run]:
        return [entry for entry in self.entries if isinstance(entry, _Run)]

    @property
    def messages(self) -> list[_Document]:
        shown = (_last_message(each) if isinstance(each, _Run) else each for each in self.entries)
        return [message for message in shown if message]

    def refuse_while_active(self, words: str) -> None:
        """Refuse a request, in words that name the run that has not come to its end."""
        for run in self.runs:
            if run.status not in _TERMINAL:
                raise ApiError(400, words.format(thread=self.document["id"], run=run.id))


class Assistants:
    """All assistants, threads and runs of one server."""

    def __init__(self, brain: ScriptedModels, thinking_seconds: float) -> None:
        self._brain = brain
        self._thinking = thinking_seconds
        self._assistants: dict[str, _Document] = {}
        self._threads: dict[str, _Thread] = {}
        self._one_at_a_time = threading.Lock()  # two requests at once must not both start a turn

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("assistants", __name__)

        @routes.errorhandler(ApiError)
        def refused(error: ApiError) -> tuple[Response, int]:
            return jsonify(error.document), error.status

        @routes.before_request
        def of_version_2() -> None:
            if "assistants=v2" not in request.headers.get("OpenAI-Beta", ""):
                words = "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
                words += "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
                raise ApiError(400, words, code="invalid_beta")

        @routes.post("/assistants")
        def create_assistant() -> _Document:
            asked = request.get_json()
            made = {**_new("asst", "assistant", asked), "name": asked.get("name"), **_settings(asked)}
            self._assistants[made["id"]] = made
            return made

        @routes.get("/assistants")
        def list_assistants() -> _Document:
            return _page("assistant", list(self._assistants.values()))

        @routes.get("/assistants/<id_>")
        def retrieve_assistant(id_: str) -> _Document:
            return _found("assistant", self._assistants, id_)

        @routes.delete("/assistants/<id_>")
        def delete_assistant(id_: str) -> _Document:
            _found("assistant", self._assistants, id_)
            del self._assistants[id_]
            return {"id": id_, "object": "assistant.deleted", "deleted": True}

        @routes.post("/threads")
        def create_thread() -> _Document:
            asked = request.get_json(silent=True) or {}  # a thread needs nothing, not even a body
            made = _new("thread", "thread", asked)
            messages = [_message(made["id"], each) for each in asked.get("messages") or ()]
            self._threads[made["id"]] = _Thread(made, [*messages])
            return made

        @routes.get("/threads/<id_>")
        def retrieve_thread(id_: str) -> _Document:
            return self._thread(id_).document

        @routes.post("/threads/<id_>/messages")
        def add_message(id_: str) -> _Document:
            thread, message = self._thread(id_), _message(id_, request.get_json())
            thread.refuse_while_active("Can't add messages to {thread} while a run {run} is active.")
            thread.entries.append(message)
            return message

        @routes.get("/threads/<id_>/messages")
        def list_messages(id_: str) -> Response:
            thread = self._thread(id_)
            model = thread.runs[-1].turn.model if thread.runs else ""
            return self._answer("message", model, lambda: _page("message", thread.messages))

        @routes.post("/threads/<id_>/runs")
        def create_run(id_: str) -> Response:
            thread, asked = self._thread(id_), request.get_json()
            assistant = _found("assistant", self._assistants, _required(asked, "assistant_id"))
            run = {**_new("run", "thread.run", asked), **_settings(asked, assistant)}
            run |= {"thread_id": id_, "assistant_id": assistant["id"]}
            return self._answer("create", run["model"], lambda: self._create(thread, run))

        @routes.get("/threads/<id_>/runs")
        def list_runs(id_: str) -> _Document:
            return _page("run", [_run_document(run) for run in self._thread(id_).runs])

        @routes.get("/threads/<id_>/runs/<run_id>")
        def poll(id_: str, run_id: str) -> Response:
            run = self._run(id_, run_id)
            return self._answer("poll", run.turn.model, lambda: _poll(run))

        @routes.post("/threads/<id_>/runs/<run_id>/submit_tool_outputs")
        def submit(id_: str, run_id: str) -> Response:
            run, given = self._run(id_, run_id), _required(request.get_json(), "tool_outputs")
            return self._answer("submit", run.turn.model, lambda: self._submit(run, given))

        @routes.post("/threads/<id_>/runs/<run_id>/cancel")
        def cancel(id_: str, run_id: str) -> Response:
            run = self._run(id_, run_id)
            return self._answer("cancel", run.turn.model, lambda: _cancel(run))

        return routes

    def _answer(self, operation: str, model: str, work: Callable[[], _Document]) -> Response:
        with self._one_at_a_time:
            return weather(self._brain, model, operation, lambda: jsonify(work()))

    def _thread(self, id_: str) -> _Thread:
        return _found("thread", self._threads, id_)

    def _run(self, thread_id: str, id_: str) -> _Run:
        return _found("run", {run.id: run for run in self._thread(thread_id).runs}, id_)

    def _create(self, thread: _Thread, document: _Document) -> _Document:
        thread.refuse_while_active("Thread {thread} already has an active run {run}.")
        said = tuple((each["role"], each["content"][0]["text"]["value"]) for each in thread.messages)
        tools = tuple(each["function"]["name"] for each in document["tools"] if "function" in each)
        before = thread.runs[-1].turn.conversation if thread.runs else None
        wanted = document["response_format"]
        schema = wanted["json_schema"]["schema"] if wanted != "auto" else None
        prompt = said[-1][1] if said else ""
        conversation = Conversation(prompt, tools, follows=before, said=said, schema=schema)
        run = _Run(document, [self._brain.begin(document["model"], conversation, self._thinking)])
        thread.entries.append(run)
        return _run_document(run)

    def _submit(self, run: _Run, given: Sequence[Mapping[str, Any]]) -> _Document:
        if (status := run.status) != "requires_action":
            raise ApiError(400, f'Runs in status "{status}" do not accept tool outputs.')
        expected, got = list(run.turn.calls), [str(each.get("tool_call_id")) for each in given]
        if sorted(expected) != sorted(got):
            raise ApiError(400, f"Expected tool outputs for call_ids {expected}, got {got}")
        answered = run.turn.answered({each["tool_call_id"]: each.get("output") or "" for each in given})
        run.turns.append(self._brain.begin(run.turn.model, answered, self._thinking))
        return _run_document(run)


def _poll(run: _Run) -> _Document:
    document = _run_document(run)
    if run.cancelling and run.cancelled_at is None:  # it shows for one poll
        run.cancelled_at = int(time.time())
    return document


def _cancel(run: _Run) -> _Document:
    if (status := run.status) in ("cancelling", *_TERMINAL):
        raise ApiError(400, f"Cannot cancel run with status '{status}'.")
    run.cancelling = True
    run.turn.cancel()
    return _run_document(run)


def _found(kind: str, held: Mapping[str, _Held], id_: str) -> _Held:
    if id_ not in held:
        raise ApiError(404, f"No {kind} found with id '{id_}'.")
    return held[id_]


def _required(asked: Mapping[str, Any], name: str, path: str = "") -> Any:
    if asked.get(name) is None:
        param = path + name
        raise ApiError(400, f"Missing required parameter: '{param}'.", param=param)
    return asked[name]


def _page(kind: str, objects: list[_Document]) -> _Document:
    """A page of objects given oldest first, by the request's `run_id`, `order`, `after` and `limit`."""
    of_run = request.args.get("run_id")
    found = [each for each in objects if of_run in (None, each.get("run_id"))]
    ordered = found if request.args.get("order") == "asc" else found[::-1]
    if after := request.args.get("after"):
        ordered = ordered[_found(kind, {each["id"]: i for i, each in enumerate(ordered, 1)}, after) :]
    data = ordered[: request.args.get("limit", 20, type=int)]
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    more = len(ordered) > len(data)
    return {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more}


def _new(prefix: str, kind: str, asked: Mapping[str, Any]) -> _Document:
    """What every object has. Ids are random, since clients keep them when this server is gone."""
    id_, now = f"{prefix}_{secrets.token_hex(12)}", int(time.time())
    return {"id": id_, "object": kind, "created_at": now, "metadata": asked.get("metadata") or {}}


def _settings(asked: Mapping[str, Any], inherited: Mapping[str, Any] | None = None) -> _Document:
    """What an assistant has, and a run of it may have otherwise."""
    given = {**(inherited or {}), **{name: each for name, each in asked.items() if each is not None}}
    tools = given.get("tools", [])
    for i, tool in enumerate(tools):
        if tool.get("type") == "function":  # nested, not flat as in the Responses API
            _required(_required(tool, "function", f"tools[{i}]."), "name", f"tools[{i}].function.")
    return {
        "model": _required(given, "model"),
        "instructions": given.get("instructions"),
        "tools": tools,
        "response_format": given.get("response_format", "auto"),
    }


def _message(thread_id: str, asked: Mapping[str, Any]) -> _Document:
    content = _required(asked, "content")
    text = content if isinstance(content, str) else "\n".join(part["text"] for part in content)
    return {
        **_new("msg", "thread.message", asked),
        "thread_id": thread_id,
        "role": _required(asked, "role"),
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "status": "completed",
        "assistant_id": None,
        "run_id": None,
    }


def _last_message(run: _Run) -> _Document | None:
    if run.status != "completed" or not isinstance(run.turn.step, Say):
        return None
    message = _message(run.document["thread_id"], {"role": "assistant", "content": run.turn.step.text})
    about = {"id": f"msg_{run.id}", "created_at": int(run.turn.ready_at), "run_id": run.id}
    return {**message, **about, "assistant_id": run.document["assistant_id"]}


def _run_document(run: _Run) -> _Document:
    """A run as the API shows it."""
    status, step, over = run.status, run.turn.step, int(run.turn.ready_at)
    error = {"code": step.code, "message": step.message} if isinstance(step, Fail) else None
    details = {"reason": step.reason} if isinstance(step, StopShort) else None
    return {
        **run.document,
        "status": status,
        "instructions": run.document["instructions"] or "",
        "required_action": _required_action(run.turn) if status == "requires_action" else None,
        "last_error": error if status == "failed" else None,
        "incomplete_details": details if status == "incomplete" else None,
        "expires_at": None if status in _TERMINAL else run.document["created_at"] + 600,
        "completed_at": over if status == "completed" else None,
        "failed_at": over if status == "failed" else None,
        "cancelled_at": run.cancelled_at,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "usage": _usage(run) if status in _TERMINAL else None,
    }


def _required_action(turn: Turn) -> _Document:
    calls = [
        {"id": id_, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
        for id_, call in turn.calls.items()
    ]
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}


def _usage(run: _Run) -> _Document:
    tokens_in = sum(turn.tokens_in(run.document["instructions"] or "") for turn in run.turns)
    tokens_out = sum(len(str(turn.step)) // 4 for turn in run.turns if turn.phase == "done")
    total = tokens_in + tokens_out
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": total}
