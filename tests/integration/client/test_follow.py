"""A run that is followed: calls of the caller's functions are answered until it has ended."""

import json
from collections.abc import Iterator, Sequence
from logging.handlers import QueueHandler
from queue import SimpleQueue
from typing import Any

import pytest
from support.canned_server import CannedServer, canned_server, json_response
from support.iam_gateway import CALLER, DROPPED, REGION, IamGateway, iam_gateway
from support.open_calls import open_call
from support.run_records import new_run
from werkzeug.wrappers import Response

from local.openai_emulator import Call, CallTools, Say
from local.stack import LocalStack
from upcall.client import (
    ApiError,
    CallerFunctions,
    ConnectionLost,
    FunctionResult,
    IamAuth,
    InvalidInput,
    OpenCallView,
    RunObserver,
    RunRequest,
    RunView,
    TextPiece,
    ToolError,
    UpcallClient,
    client,
)
from upcall.domain.tool_calls import ToolCall


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PAUSE_SECONDS", 0.01)


class Recorder(RunObserver):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.open_calls: list[OpenCallView] = []
        self.started: list[str] = []
        self.results: list[FunctionResult] = []
        self.rejections: list[str] = []

    def run_updated(self, run: RunView) -> None:
        self.statuses.append(run.status)
        self.open_calls += run.open_calls

    def function_started(self, call: OpenCallView) -> None:
        self.started.append(f"{call.id} {call.name}")

    def function_ended(self, result: FunctionResult) -> None:
        self.results.append(result)

    def output_rejected(self, result: FunctionResult, error: ApiError) -> None:
        self.rejections.append(f"{result.call.id} {error.status} {error}")


def stock(article: str) -> int:
    """How many pieces of an article are in stock."""
    if article == "sofa":
        raise ToolError("there is no sofa")
    return {"lamp": 3}[article]


@pytest.fixture
def gateway(local_stack: LocalStack) -> Iterator[IamGateway]:
    with iam_gateway(local_stack.endpoints.api) as started:
        yield started


@pytest.fixture
def api(gateway: IamGateway) -> Iterator[UpcallClient]:
    with UpcallClient(gateway.url, IamAuth(CALLER, REGION), retry_delays=(0.0, 0.0)) as started:
        yield started


def test_the_model_gets_what_the_functions_return(api: UpcallClient, local_stack: LocalStack) -> None:
    models = local_stack.emulator.models
    articles = ("lamp", "sofa", "bed")
    calls = CallTools(tuple(Call.of("stock", article=article) for article in articles))
    model = models.script(calls, CallTools((Call.of("stock", article="lamp"),)), Say("Three lamps."))
    recorder = Recorder()
    run = api.run(RunRequest(prompt="How many?", model=model), [stock], recorder)

    assert (run.status, run.message, run.tool_calls) == ("completed", "Three lamps.", 4)
    first, second = models.conversations[model][-1].rounds
    assert [exchange.output for exchange in (*first, *second)] == [
        "3",
        '{"error": "there is no sofa"}',
        '{"error": "stock failed for a reason of its own"}',
        "3",
    ]
    assert sorted(recorder.started) == ["1-1 stock", "1-2 stock", "1-3 stock", "2-1 stock"]
    assert [type(result.exception) for result in recorder.results if result.exception] == [KeyError]
    assert recorder.statuses[-1] == "completed"


@pytest.mark.parametrize("fault", [DROPPED, 503])
def test_an_output_whose_response_is_lost_is_sent_again_and_the_function_runs_once(
    api: UpcallClient, gateway: IamGateway, local_stack: LocalStack, fault: int
) -> None:
    paid: list[int] = []

    def pay(amount: int) -> str:
        """Pay."""
        paid.append(amount)
        gateway.faults = [fault] * 3  # of the output, which has been received each time
        return "paid"

    model = local_stack.emulator.script(CallTools((Call.of("pay", amount=5),)), Say("Paid."))
    functions = CallerFunctions([pay])
    run_id = api.start_run(RunRequest(prompt="Pay.", model=model, tools=tuple(functions.definitions)))
    with pytest.raises((ConnectionLost, ApiError)):
        api.follow(run_id, functions)
    assert api.follow(run_id, [pay]).message == "Paid."
    assert paid == [5]
    assert gateway.accepted.count(f"POST /runs/{run_id}/tool_outputs") >= 3


def test_approvals_are_left_to_a_person(api: UpcallClient, local_stack: LocalStack) -> None:
    calls = CallTools((Call.of("stock", article="lamp"), Call.of("notify", message="Hi.")))
    model = local_stack.emulator.script(calls, Say("Done."))

    class Approver(Recorder):
        def run_updated(self, run: RunView) -> None:
            super().run_updated(run)
            for call in run.open_calls:
                if call.waits_for == "approval":
                    decision = api.decide(run.run_id, call.id, "deny", call.arguments_digest, "No.")
                    assert (decision.decision, decision.reason) == ("deny", "No.")
                    again = api.decide(run.run_id, call.id, "deny", call.arguments_digest, "No.")
                    assert again == decision
                    with pytest.raises(ApiError, match="was denied already") as caught:
                        api.decide(run.run_id, call.id, "approve", call.arguments_digest)
                    assert caught.value.status == 409

    request = RunRequest(prompt="Go.", assistant="announcer", model=model)
    run = api.run(request, [stock], Approver())
    assert (run.status, run.message) == ("completed", "Done.")
    assert [entry.decision and entry.decision.decision for entry in api.list_calls(run.run_id)] == [
        None,
        "deny",
    ]


def test_a_decision_about_nothing_is_an_error(api: UpcallClient) -> None:
    run = api.run("Hello.")
    for call in ("1-1", "", "../1", "1 1"):
        with pytest.raises(ApiError) as caught:
            api.decide(run.run_id, call, "approve", "0" * 64)
        assert caught.value.status == 404
    with pytest.raises(InvalidInput, match="arguments_digest"):
        api.decide(run.run_id, "1-1", "approve", "abc")
    with pytest.raises(InvalidInput, match="reason"):
        api.decide(run.run_id, "1-1", "deny", "0" * 64, "x" * 1001)


def test_an_invalid_request_starts_no_run(api: UpcallClient, gateway: IamGateway) -> None:
    with pytest.raises(InvalidInput, match="prompt: must not be empty"):
        api.run(" ", [stock])
    with pytest.raises(TypeError, match="two functions stock"):
        api.run("Go.", [stock, stock])
    with pytest.raises(InvalidInput, match="outputs"):
        api.give_outputs("run_1", [])
    assert gateway.accepted == []


def run_view(*names: str, **fields: Any) -> dict[str, Any]:
    """A run whose calls of these tools wait for their outputs, as the API shows it."""
    calls = [
        open_call(position=n, call=ToolCall(call_id="c", name=name, arguments="{}"), waits_for="output")
        for n, name in enumerate(names, start=1)
    ]
    record = new_run().model_copy(update={"run_id": "run_1", "status": "requires_action", **fields})
    view: dict[str, Any] = json.loads(RunView.of(record, None, calls).model_dump_json(exclude_none=True))
    return view


def follow(server: CannedServer, *functions: Any) -> tuple[RunView, Recorder]:
    recorder = Recorder()
    with UpcallClient(server.url, retry_delays=()) as api:
        return api.follow("run_1", functions, recorder), recorder


def events(*types: str, ended: bool = False) -> Response:
    """A page of events of these types, as the API shows it."""
    at = new_run().created_at.isoformat()
    listed = [{"number": number, "type": each, "at": at} for number, each in enumerate(types, start=1)]
    return json_response({"events": listed, "next": len(listed), "ended": ended})


WAITING = events("run.queued", "tool_call.waiting")
ENDED = (events("run.failed", ended=True), json_response(run_view(status="failed")))


def test_outputs_of_other_tools_are_left_to_others_without_a_busy_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(client, "PAUSE_SECONDS", 2.0)
    monkeypatch.setattr("upcall.client.client.time.sleep", pauses.append)
    waiting = json_response(run_view("elsewhere"))
    with canned_server(events(), waiting, events(), waiting, *ENDED) as server:
        run, recorder = follow(server)

    assert (run.status, recorder.started) == ("failed", [])
    assert [call.name for call in recorder.open_calls] == ["elsewhere", "elsewhere"]
    assert len(pauses) == 2
    assert all(0 < pause <= client.PAUSE_SECONDS for pause in pauses)


def test_an_output_that_comes_too_late_is_reported_and_the_run_followed_to_its_end() -> None:
    def late() -> str:
        """Come too late."""
        return "x"

    conflict = json_response({"detail": "it is too late", "status": 409}, 409)
    with canned_server(WAITING, json_response(run_view("late")), conflict, *ENDED) as server:
        run, recorder = follow(server, late)

    assert (run.status, recorder.rejections) == ("failed", ["1-1 409 it is too late"])
    assert server.requests[2].json == {"outputs": [{"call_id": "1-1", "output": "x"}]}


def test_the_exception_of_a_function_is_logged_for_its_author() -> None:
    def broken() -> str:
        """Break."""
        raise LookupError("no lamp")

    queue: SimpleQueue[Any] = SimpleQueue()
    handler = QueueHandler(queue)
    client.logger.addHandler(handler)
    try:
        answers = (WAITING, json_response(run_view("broken")), json_response(run_view()), *ENDED)
        with canned_server(*answers) as server:
            with UpcallClient(server.url, retry_delays=()) as api:
                api.follow("run_1", [broken])
    finally:
        client.logger.removeHandler(handler)

    record = queue.get_nowait()
    assert (record.msg.splitlines()[0], record.levelname) == ("function failed", "ERROR")
    assert "LookupError: no lamp" in record.msg  # QueueHandler formats it
    assert queue.empty()


def test_a_function_that_is_interrupted_has_an_output_and_ends_the_program() -> None:
    def interrupted() -> str:
        """Be interrupted."""
        raise KeyboardInterrupt

    views = [json_response(run_view("interrupted"))] * 2
    with canned_server(WAITING, *views) as server, pytest.raises(KeyboardInterrupt):
        follow(server, interrupted)

    (output,) = server.requests[-1].json["outputs"]
    assert output["error"].startswith("outcome unknown: it was interrupted.")


def test_a_streamed_run_gives_each_piece_once_and_the_whole_is_the_message(
    api: UpcallClient, local_stack: LocalStack
) -> None:
    class Reader(RunObserver):
        def __init__(self) -> None:
            self.pieces: list[TextPiece] = []

        def text_written(self, pieces: Sequence[TextPiece]) -> None:
            self.pieces += pieces

    reader = Reader()
    model = local_stack.emulator.script(Say("One two three four.", after_seconds=1))
    run = api.run(RunRequest(prompt="Go.", model=model, stream=True), observer=reader)

    assert "".join(piece.text for piece in reader.pieces) == run.message == "One two three four."
    assert [piece.number for piece in reader.pieces] == list(range(1, len(reader.pieces) + 1))


def test_text_that_comes_without_events_is_no_reason_to_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("upcall.client.client.time.sleep", pauses.append)
    text = [{"number": 1, "round": 0, "offset": 0, "text": "One"}]
    page = json_response({"events": [], "next": 0, "ended": False, "text": text, "next_text": 1})
    with canned_server(page, json_response(run_view()), *ENDED) as server:
        follow(server)

    assert pauses == []
    assert "text_after=0" in server.requests[0].path
    assert "text_after=1" in server.requests[2].path
