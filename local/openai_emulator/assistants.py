"""The Assistants API (v2) of the emulator: assistants, threads, messages, and runs with tool calls.

Responses have every field that the SDK's strict validation requires. Errors have OpenAI's wording.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, jsonify, request

from local.openai_emulator.assistant_documents import (
    find,
    message_document,
    message_documents,
    new_document,
    page,
    require,
    run_document,
    settings,
)
from local.openai_emulator.assistant_threads import TERMINAL_STATUSES, Document, Run, Thread
from local.openai_emulator.conversation import Conversation
from local.openai_emulator.errors import ApiError
from local.openai_emulator.scripted_faults import respond
from local.openai_emulator.scripted_model import ScriptedModels


class Assistants:
    """All assistants, threads and runs of one server."""

    def __init__(self, models: ScriptedModels, model_seconds: float) -> None:
        self._models = models
        self._model_seconds = model_seconds
        self._assistants: dict[str, Document] = {}
        self._threads: dict[str, Thread] = {}
        self._lock = threading.Lock()  # two concurrent requests must not both start a turn

    def blueprint(self) -> Blueprint:
        """The routes."""
        routes = Blueprint("assistants", __name__)

        @routes.errorhandler(ApiError)
        def reject(error: ApiError) -> tuple[Response, int]:
            return jsonify(error.document), error.status

        @routes.before_request
        def require_version_2() -> None:
            if "assistants=v2" not in request.headers.get("OpenAI-Beta", ""):
                message = "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
                message += "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
                raise ApiError(400, message, code="invalid_beta")

        @routes.post("/assistants")
        def create_assistant() -> Document:
            fields = request.get_json()
            name = {"name": fields.get("name")}
            document = {**new_document("asst", "assistant", fields), **name, **settings(fields)}
            self._assistants[document["id"]] = document
            return document

        @routes.get("/assistants")
        def list_assistants() -> Document:
            return page("assistant", list(self._assistants.values()))

        @routes.get("/assistants/<id_>")
        def retrieve_assistant(id_: str) -> Document:
            return find("assistant", self._assistants, id_)

        @routes.delete("/assistants/<id_>")
        def delete_assistant(id_: str) -> Document:
            find("assistant", self._assistants, id_)
            del self._assistants[id_]
            return {"id": id_, "object": "assistant.deleted", "deleted": True}

        @routes.post("/threads")
        def create_thread() -> Document:
            fields = request.get_json(silent=True) or {}  # the body is optional
            document = new_document("thread", "thread", fields)
            messages = [message_document(document["id"], each) for each in fields.get("messages") or ()]
            self._threads[document["id"]] = Thread(document, [*messages])
            return document

        @routes.get("/threads/<id_>")
        def retrieve_thread(id_: str) -> Document:
            return self._thread(id_).document

        @routes.post("/threads/<id_>/messages")
        def add_message(id_: str) -> Document:
            thread, document = self._thread(id_), message_document(id_, request.get_json())
            thread.reject_while_active("Can't add messages to {thread} while a run {run} is active.")
            thread.entries.append(document)
            return document

        @routes.get("/threads/<id_>/messages")
        def list_messages(id_: str) -> Response:
            thread = self._thread(id_)
            model = thread.runs[-1].turn.model if thread.runs else ""
            return self._respond("message", model, lambda: page("message", message_documents(thread)))

        @routes.post("/threads/<id_>/runs")
        def create_run(id_: str) -> Response:
            thread, fields = self._thread(id_), request.get_json()
            assistant = find("assistant", self._assistants, require(fields, "assistant_id"))
            document = {**new_document("run", "thread.run", fields), **settings(fields, assistant)}
            document |= {"thread_id": id_, "assistant_id": assistant["id"]}
            return self._respond("create", document["model"], lambda: self._create(thread, document))

        @routes.get("/threads/<id_>/runs")
        def list_runs(id_: str) -> Document:
            return page("run", [run_document(run) for run in self._thread(id_).runs])

        @routes.get("/threads/<id_>/runs/<run_id>")
        def poll(id_: str, run_id: str) -> Response:
            run = self._run(id_, run_id)
            return self._respond("poll", run.turn.model, lambda: _poll(run))

        @routes.post("/threads/<id_>/runs/<run_id>/submit_tool_outputs")
        def submit(id_: str, run_id: str) -> Response:
            run, outputs = self._run(id_, run_id), require(request.get_json(), "tool_outputs")
            return self._respond("submit", run.turn.model, lambda: self._submit(run, outputs))

        @routes.post("/threads/<id_>/runs/<run_id>/cancel")
        def cancel(id_: str, run_id: str) -> Response:
            run = self._run(id_, run_id)
            return self._respond("cancel", run.turn.model, lambda: _cancel(run))

        return routes

    def _respond(self, operation: str, model: str, process: Callable[[], Document]) -> Response:
        with self._lock:
            return respond(self._models, model, operation, lambda: jsonify(process()))

    def _thread(self, id_: str) -> Thread:
        return find("thread", self._threads, id_)

    def _run(self, thread_id: str, id_: str) -> Run:
        return find("run", {run.id: run for run in self._thread(thread_id).runs}, id_)

    def _create(self, thread: Thread, document: Document) -> Document:
        thread.reject_while_active("Thread {thread} already has an active run {run}.")
        messages = tuple(
            (each["role"], each["content"][0]["text"]["value"]) for each in message_documents(thread)
        )
        response_format = document["response_format"]
        conversation = Conversation(
            prompt=messages[-1][1] if messages else "",
            tools=tuple(each["function"]["name"] for each in document["tools"] if "function" in each),
            previous=thread.runs[-1].turn.conversation if thread.runs else None,
            messages=messages,
            schema=response_format["json_schema"]["schema"] if response_format != "auto" else None,
        )
        run = Run(document, [self._models.start_turn(document["model"], conversation, self._model_seconds)])
        thread.entries.append(run)
        return run_document(run)

    def _submit(self, run: Run, outputs: Sequence[Mapping[str, Any]]) -> Document:
        if (status := run.status) != "requires_action":
            raise ApiError(400, f'Runs in status "{status}" do not accept tool outputs.')
        expected, got = list(run.turn.calls), [str(each.get("tool_call_id")) for each in outputs]
        if sorted(expected) != sorted(got):
            raise ApiError(400, f"Expected tool outputs for call_ids {expected}, got {got}")
        conversation = run.turn.with_outputs(
            {each["tool_call_id"]: each.get("output") or "" for each in outputs}
        )
        run.turns.append(self._models.start_turn(run.turn.model, conversation, self._model_seconds))
        return run_document(run)


def _poll(run: Run) -> Document:
    document = run_document(run)
    if run.cancelling and run.cancelled_at is None:  # `cancelling` is visible in one poll
        run.cancelled_at = int(time.time())
    return document


def _cancel(run: Run) -> Document:
    if (status := run.status) in ("cancelling", *TERMINAL_STATUSES):
        raise ApiError(400, f"Cannot cancel run with status '{status}'.")
    run.cancelling = True
    run.turn.cancel()
    return run_document(run)
